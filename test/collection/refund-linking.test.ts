import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, fixedClock, type Store } from "../../src/base/index.ts";
import { openInbox } from "../../src/collection/inbox-store.ts";
import {
  type EventLine,
  EventName,
  type LinkableLine,
  linkRefunds,
  refundRules,
  sealInbox,
} from "../../src/collection/index.ts";
import { openCustomerIds, openCustomerLines, resolveCustomers } from "../../src/customers/index.ts";
import { linkedRows } from "../support/live.ts";
import { withStore } from "../support/temporary.ts";

const NOW = Date.parse("2024-07-01T00:00:00Z");
const clock = fixedClock("2024-07-01T00:00:00Z");
const RULES = { shop: "latest-purchase", till: "same-order" } as const;
const CUSTOMERS = ["jan", "eva", "piet"] as const;

const line = (changes: Partial<LinkableLine>): LinkableLine => ({
  ...{ source: "shop", messageId: "m", line: 0, event: EventName.orderCompleted, occurredAt: 1 },
  ...{ lineKnownAt: changes.occurredAt ?? 1, orderId: null, productId: null, quantity: null },
  ...{ price: null, person: "jan", isClaim: false },
  ...changes,
});

const told = (lines: readonly LinkableLine[]): unknown[] =>
  linkRefunds(lines, new Map(Object.entries(RULES))).map(({ refund, productId, quantity, of }) => [
    ...[refund.messageId, refund.line, productId, quantity],
    of === null ? null : `${of.messageId}.${of.line}`,
  ]);

/** Some lines of one message: an order, a refund, a cancellation or something else of one customer. */
const message = fc.record({
  source: fc.constantFrom("shop", "till"),
  customer: fc.constantFrom(...CUSTOMERS),
  by: fc.constantFrom("user", "user", "visitor", "both", "claim"),
  event: fc.constantFrom(
    ...[EventName.orderCompleted, EventName.orderCompleted, EventName.orderCompleted],
    ...[EventName.orderRefunded, EventName.orderRefunded, EventName.orderCancelled],
    "Product Viewed",
  ),
  order: fc.constantFrom("o1", "o1", "o2", null),
  day: fc.integer({ min: 0, max: 9 }),
  delay: fc.constantFrom(0, 0, 2, 20),
  items: fc.array(
    fc.record({
      productId: fc.constantFrom("A", "A", "B", null),
      quantity: fc.constantFrom(null, 1, 2, 4, -2, 0),
      price: fc.constantFrom(null, 5, 10, 40),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

function linesOf(drawn: Message, index: number): EventLine[] {
  const { customer, by, order, day, delay, items, event } = drawn;
  const start = NOW - 60 * DAY_MS;
  return items.map((item, number) => ({
    ...{ messageId: `m${index}`, line: number, type: "track" as const, event, ...item },
    ...{ occurredAt: start + day * DAY_MS, knownAt: start + (day + delay) * DAY_MS },
    userId: by === "visitor" ? null : customer,
    anonymousId: by === "user" ? null : `visitor-${customer}`,
    orderId: order === null ? null : `${customer}-${order}`,
    ...{ productName: null, currency: null, properties: null, cost: null, identifiers: null },
    ...{ traits: null, consent: null, channel: null, campaign: null, category: null, device: null },
    isClaim: by === "claim",
  }));
}

/** Puts messages into the history by both sources, with a message that tells whose each visitor is. */
async function fill(store: Store, messages: readonly Message[]): Promise<void> {
  for (const [source, refunds] of Object.entries(RULES)) {
    const fields = { occurredAt: { column: "at" } };
    const mapping = JSON.stringify({ source, event: [{ name: "x" }], fields, refunds });
    store.sqlite.prepare("INSERT INTO source VALUES (?, ?, ?)").run(source, mapping, NOW);
  }
  const known = CUSTOMERS.map((customer): Message => {
    const item = { productId: null, quantity: null, price: null };
    const rest = { by: "both", event: "Product Viewed", order: null, day: 0, delay: 0 } as const;
    return { source: "shop", customer, items: [item], ...rest };
  });
  const inbox = openInbox(store);
  for (const [index, one] of [...known, ...messages].entries()) {
    const arrivals = [{ messageId: `m${index}`, lines: linesOf(one, index), notes: [] }];
    inbox.append([{ source: one.source, receivedAt: NOW, arrivals }]);
  }
  await sealInbox(store);
  await resolveCustomers(store, clock);
}

const asText = (rows: readonly (readonly unknown[])[]): string[] =>
  rows.map((row) => JSON.stringify(row)).sort();

describe("linking the refunds of one customer", () => {
  it("finds parts by product, what is left of whole orders, and no line for lesser amounts", () => {
    const lines = [
      line({ messageId: "a", orderId: "o1", productId: "A", quantity: 2, price: 5 }),
      line({ messageId: "a", line: 1, orderId: "o1", productId: "B", price: 10 }),
      line({ messageId: "b", occurredAt: 2, orderId: "o2", productId: "A", quantity: 3, price: 5 }),
    ];
    const refund = (changes: Partial<LinkableLine>): LinkableLine =>
      line({ messageId: "r", event: EventName.orderRefunded, occurredAt: 5, ...changes });
    expect(told([...lines, refund({ productId: "A", quantity: -4 })])).to.deep.equal([
      ["r", 0, "A", 3, "b.0"],
      ["r", 0, "A", 1, "a.0"],
    ]);
    const whole = refund({ orderId: "o1" });
    const all = [
      ["r", 0, "A", 2, "a.0"],
      ["r", 0, "B", 1, "a.1"],
    ];
    expect(told([whole, ...lines])).to.deep.equal(all);
    expect(told([{ ...whole, price: 20 }, ...lines])).to.deep.equal(all);
    expect(told([{ ...whole, price: 19 }, ...lines])).to.deep.equal([["r", 0, null, null, null]]);
    expect(told([{ ...whole, isClaim: true, person: "v" }, ...lines])).to.deep.equal([
      ["r", 0, null, null, null],
    ]);
    expect(told([...lines, refund({ productId: "A", person: "eva" })])).to.deep.equal([
      ["r", 0, "A", 1, null],
    ]);
    expect(told([...lines, refund({ source: "till", productId: "A" })])).to.deep.equal([
      ["r", 0, "A", 1, null],
    ]);
    expect(told(lines)).to.deep.equal([]);
  });

  it("says the same as the linked history, whatever there is", async function () {
    this.timeout(120_000);
    let linked = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 40, maxLength: 80, size: "max" }),
        async (messages) => {
          await withStore(async (store) => {
            await fill(store, messages);
            const rows = await linkedRows(
              store,
              `SELECT source, message_id, product_id, quantity, refunded_message_id, refunded_line FROM history
             WHERE event IN ('Order Refunded', 'Order Cancelled')`,
            );
            const rules = refundRules(store);
            expect([...rules]).to.deep.equal(Object.entries(RULES));
            const [read, find] = [openCustomerLines(store), openCustomerIds(store)];
            const parts = CUSTOMERS.flatMap((value) => {
              const lines = read(find({ type: "user_id", value }) ?? expect.fail("nobody"), NOW);
              return linkRefunds(lines, rules).map(({ refund, productId, quantity, of }) => [
                ...[refund.source, refund.messageId, productId, quantity],
                ...[of?.messageId ?? null, of?.line ?? null],
              ]);
            });
            expect(asText(parts)).to.deep.equal(asText(rows.map((row) => Object.values(row))));
            linked += parts.filter((part) => part[4] !== null).length;
          });
        },
      ),
      { numRuns: 12, endOnFailure: true },
    );
    expect(linked).to.be.greaterThan(50);
  });
});
