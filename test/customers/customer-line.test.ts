import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, fixedClock, type Store, toIso, writeTransaction } from "../../src/base/index.ts";
import {
  createCollector,
  createWriteKey,
  importFile,
  type Mapping,
  parseMapping,
  sealInbox,
} from "../../src/collection/index.ts";
import {
  createLiveResolver,
  openCustomerIds,
  openCustomerLines,
  readProfile,
  resolveAgain,
  resolveCustomers,
} from "../../src/customers/index.ts";
import { openTrim } from "../../src/customers/trim-store.ts";
import { withStore } from "../support/temporary.ts";

const NOW = Date.parse("2024-07-01T00:00:00Z");
const clock = fixedClock("2024-07-01T00:00:00Z");

async function receive(store: Store, calls: readonly object[]): Promise<void> {
  const results = await createCollector(store, clock).collect({
    source: "shop",
    calls: calls.map((call) => ({ type: "track", event: "Product Viewed", ...call })),
  });
  expect(results.map(({ status }) => status)).to.deep.equal(calls.map(() => "accepted"));
}

const order = (messageId: string, days: number): object => ({
  ...{ messageId, userId: "jan", event: "Order Completed", timestamp: at(days) },
  context: { campaign: { name: "May" }, device: { type: "ios" } },
  properties: {
    order_id: `o-${messageId}`,
    products: [
      { product_id: "A", quantity: 2, price: 3.5, category: "Soap" },
      { product_id: "B", price: 1 },
    ],
  },
});

const at = (daysAgo: number): string => toIso(NOW - daysAgo * DAY_MS);

const views: Mapping = parseMapping({
  source: "views",
  event: { column: "event" },
  knownAt: "occurredAt",
  fields: { occurredAt: { column: "at" }, userId: "user", orderId: "order", productId: "product" },
});

/** Minutes before now, newest first, as rows of a file; every `orderEvery`th row is an order's. */
function rowsOf(minutes: readonly number[], orderEvery = Number.POSITIVE_INFINITY): string {
  const rows = minutes.map((minute, index) => {
    const isOrder = index % orderEvery === orderEvery - 1;
    return `jan,P,${toIso(NOW - minute * 60_000)},${isOrder ? `Order Completed,o${index}` : "Product Viewed,"}`;
  });
  return ["user,product,at,event,order", ...rows, ""].join("\n");
}

async function load(store: Store, folder: string, name: string, text: string): Promise<void> {
  const file = join(folder, name);
  writeFileSync(file, text);
  await importFile(store, clock, { file, mapping: views });
  await resolveCustomers(store, clock);
}

const minutesAtHand = (store: Store): number[] =>
  store.sqlite
    .prepare<[number], number>(
      "SELECT (? - occurred_at) / 60000 FROM recent_event ORDER BY occurred_at DESC",
    )
    .pluck()
    .all(NOW);

describe("a customer's lines", () => {
  it("are of all its identifiers, in order, known from when they were known to be its own", async () => {
    await withStore(async (store) => {
      createWriteKey(store, clock, "shop");
      await receive(store, [
        order("1", 300),
        { messageId: "2", anonymousId: "cookie", timestamp: at(200) },
        {
          messageId: "3",
          anonymousId: "cookie",
          timestamp: at(10),
          properties: { product_id: "A" },
        },
        { messageId: "4", userId: "jan", anonymousId: "cookie", timestamp: at(5) },
        { messageId: "5", userId: "eva", timestamp: at(5) },
        { ...order("6", 250), event: "Order Refunded" },
      ]);
      createLiveResolver(store, clock)();
      const linkedAt = NOW + 7 * DAY_MS;
      store.sqlite
        .prepare("UPDATE identifier SET linked_at = ? WHERE type = 'anonymous_id'")
        .run(linkedAt);
      const find = openCustomerIds(store);
      const jan = find({ type: "anonymous_id", value: "cookie" }) ?? expect.fail("nobody");
      expect(find({ type: "user_id", value: "jan" })).to.equal(jan);
      expect(find({ type: "user_id", value: "piet" })).to.equal(undefined);
      const read = openCustomerLines(store);
      const lines = read(jan, NOW - 30 * DAY_MS);
      expect(lines.map(({ messageId, line }) => `${messageId}.${line}`)).to.deep.equal([
        ...["1.0", "1.1", "6.0", "6.1", "3.0", "4.0"],
      ]);
      expect(lines.map(({ knownAt }) => knownAt)).to.deep.equal([
        ...[NOW, NOW, NOW, NOW, linkedAt, NOW],
      ]);
      expect(lines[0]).to.deep.equal({
        ...{
          occurredAt: NOW - 300 * DAY_MS,
          knownAt: NOW,
          source: "shop",
          messageId: "1",
          line: 0,
        },
        ...{ type: "track", event: "Order Completed", orderId: "o-1", productId: "A" },
        ...{ quantity: 2, price: 3.5, channel: null, campaign: "May", category: "Soap" },
        ...{ device: "mobile", person: "jan", isClaim: false, lineKnownAt: NOW },
      });
      expect(lines.at(-2)).to.include({ person: "cookie", productId: "A", category: null });
      expect(read(jan, NOW - 200 * DAY_MS)).to.have.lengthOf(7);
      expect(read(jan, NOW - 200 * DAY_MS + 1)).to.have.lengthOf(6);
      expect(read(jan, NOW).map(({ messageId }) => messageId)).to.deep.equal(["1", "1", "6", "6"]);
    });
  });

  it("are the same live, sealed before, and read again, claims among them", async () => {
    await withStore(async (store) => {
      createWriteKey(store, clock, "shop");
      const calls = [
        order("1", 9),
        { messageId: "2", anonymousId: "v", timestamp: at(8), context: { userAgent: "iPad" } },
        {
          ...{ messageId: "3", anonymousId: "w", event: "Order Refunded", timestamp: at(7) },
          properties: { email: "Jän\u0001@Shop.nl", order_id: "o-1", category: "Soap" },
        },
        { type: "page", messageId: "4", anonymousId: "v", timestamp: at(6), category: "Help" },
      ];
      await receive(store, calls);
      await createCollector(store, clock).collect({
        ...{ source: "shop", isClaim: true },
        calls: [{ ...order("5", 5), type: "track", anonymousId: "v" }],
      });
      const told = (): unknown =>
        store.sqlite.prepare("SELECT * FROM recent_event ORDER BY message_id, line").all();
      createLiveResolver(store, clock)();
      const live = told();
      await sealInbox(store);
      await resolveAgain(store, clock);
      expect(told()).to.deep.equal(live);
      const people = (live as { readonly person: string; readonly is_claim: number }[]).map(
        (row) => [row.person, row.is_claim],
      );
      expect(people).to.deep.include.members([
        ["jan", 0],
        ["v", 0],
        ["v", 1],
      ]);
    });
  });

  it("are found by index, however many there are", async () => {
    await withStore((store) => {
      const asked: string[] = [];
      const prepare = (sql: string): unknown => {
        asked.push(sql);
        return store.sqlite.prepare(sql);
      };
      openCustomerLines({ ...store, sqlite: { prepare } as unknown as Store["sqlite"] });
      const steps = store.sqlite
        .prepare<[], { detail: string }>(
          `EXPLAIN QUERY PLAN ${asked.join("").replaceAll(/@\w+/g, "1")}`,
        )
        .all()
        .map(({ detail }) => detail);
      expect(asked).to.have.lengthOf(1);
      expect(steps.filter((step) => step.startsWith("SEARCH"))).to.deep.equal([
        "SEARCH i USING INDEX identifier_customer (customer_id=?)",
        "SEARCH r USING PRIMARY KEY (identifier_id=? AND occurred_at>?)",
        "SEARCH i USING INDEX identifier_customer (customer_id=?)",
        "SEARCH r USING INDEX recent_event_order (identifier_id=? AND occurred_at<?)",
      ]);
      expect(steps.filter((step) => step.startsWith("SCAN"))).to.deep.equal([]);
      return Promise.resolve();
    });
  });
});

describe("lines at hand", () => {
  it("are those of orders for good, and of the others the latest thousand or 90 days", async () => {
    await withStore(async (store, folder) => {
      const day = 24 * 60;
      // A row an hour for 62.5 days, then one a day for 600 days.
      const minutes = [
        ...Array.from({ length: 1_500 }, (_, index) => index * 60),
        ...Array.from({ length: 600 }, (_, index) => (63 + index) * day),
      ];
      await load(store, folder, "a.csv", rowsOf(minutes, 100));
      const isOrder = (index: number): boolean => index % 100 === 99;
      const kept = minutes.filter((minute, index) => isOrder(index) || minute <= 90 * day);
      expect(minutesAtHand(store)).to.deep.equal(kept);
      const profile = readProfile(
        store,
        { type: "user_id", value: "jan" },
        { orders: 0, events: 9_999 },
      );
      expect(profile.timeline).to.have.lengthOf(1_000);
      expect(profile.recent.reduce((sum, { count }) => sum + count, 0)).to.equal(1_000);
    });
  });

  it("are a thousand others where few are young, and 20,000 where all are", async () => {
    await withStore(async (store, folder) => {
      const old = Array.from({ length: 1_300 }, (_, index) => (100 + index) * 24 * 60);
      await load(store, folder, "old.csv", rowsOf([0, ...old], 50));
      const others = old.filter((_, index) => (index + 1) % 50 !== 49);
      const last = others[998] ?? 0;
      const isKept = (minute: number, index: number): boolean =>
        minute <= last || (index + 1) % 50 === 49;
      expect(minutesAtHand(store)).to.deep.equal([0, ...old.filter(isKept)]);
      const young = Array.from({ length: 21_000 }, (_, index) => index + 1);
      await load(store, folder, "young.csv", rowsOf(young));
      const orders = old.filter((_, index) => (index + 1) % 50 === 49);
      expect(minutesAtHand(store)).to.deep.equal([...[0, ...young].slice(0, 20_000), ...orders]);
    });
  });

  it("go by the same rule live, once in a hundred events", async () => {
    await withStore(async (store, folder) => {
      createWriteKey(store, clock, "shop");
      const old = Array.from({ length: 1_000 }, (_, index) => (100 + index) * 24 * 60);
      await load(store, folder, "old.csv", rowsOf(old));
      const resolve = createLiveResolver(store, clock);
      const view = (index: number): object => {
        return { messageId: `v${index}`, userId: "jan", timestamp: at(index / 10_000) };
      };
      const see = async (from: number, to: number): Promise<number> => {
        await receive(
          store,
          Array.from({ length: to - from }, (_, index) => view(from + index)),
        );
        while (resolve());
        return minutesAtHand(store).length;
      };
      expect(await see(0, 99)).to.equal(1_099);
      expect(await see(99, 100)).to.equal(1_000);
      expect(await see(100, 150)).to.equal(1_050);
    });
  });

  it("are trimmed as the rule says, whatever they are", async () => {
    const line = fc.record({
      at: fc.integer({ min: 0, max: 400 }).map((half) => NOW - (half * DAY_MS) / 2),
      isOrder: fc.boolean(),
      copies: fc.integer({ min: 1, max: 700 }),
    });
    await withStore((store) => {
      const { sqlite } = store;
      sqlite.exec(
        "INSERT INTO customer (id, first_seen_at) VALUES (1, 0); INSERT INTO identifier (id, type, value, customer_id, source, first_seen_at) VALUES (1, 'user_id', 'jan', 1, 's', 0)",
      );
      const insert = sqlite.prepare(
        "INSERT INTO recent_event (identifier_id, occurred_at, source, message_id, line, known_at, type, event) VALUES (1, ?, 's', ?, 0, 0, 'track', ?)",
      );
      const ids = (): unknown[] =>
        sqlite
          .prepare("SELECT occurred_at, message_id FROM recent_event ORDER BY 1 DESC, 2 DESC")
          .raw()
          .all();
      const trim = openTrim(sqlite);
      fc.assert(
        fc.property(fc.array(line, { maxLength: 12 }), (drawn) => {
          const all = drawn
            .flatMap(({ copies, ...one }, index) =>
              Array.from({ length: copies }, (_, copy) => ({ ...one, id: `${index}-${copy}` })),
            )
            .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
          writeTransaction(sqlite, () => {
            sqlite.exec("DELETE FROM recent_event");
            for (const { at: instant, id, isOrder } of all) {
              const event = isOrder ? "Order Cancelled" : id.endsWith("0") ? null : "View";
              insert.run(instant, id, event);
            }
          });
          let others = 0;
          const newest = all[0]?.at ?? 0;
          const kept = all.filter(
            ({ at: instant, isOrder }) =>
              isOrder || ++others <= 1_000 || instant >= newest - 90 * DAY_MS,
          );
          trim(1);
          expect(ids()).to.deep.equal(kept.map(({ at: instant, id }) => [instant, id]));
        }),
        { numRuns: 15, endOnFailure: true },
      );
      return Promise.resolve();
    });
  });
});
