import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { fixedClock, type Store, toIso } from "../../src/base/index.ts";
import { openInbox } from "../../src/collection/inbox-store.ts";
import type { EventLine } from "../../src/collection/index.ts";
import {
  createCollector,
  createWriteKey,
  importFile,
  parseMapping,
  sealInbox,
} from "../../src/collection/index.ts";
import {
  createLiveResolver,
  findCustomer,
  type Profile,
  readProfile,
  resolveAgain,
  resolveCustomers,
} from "../../src/customers/index.ts";
import { withStore } from "../support/temporary.ts";

const NOW = Date.parse("2024-07-01T00:00:00Z");
const clock = fixedClock("2024-07-01T00:00:00Z");
const ALL = { orders: 1_000, events: 1_000 };

function line(changes: Partial<EventLine>): EventLine {
  return {
    messageId: "m",
    line: 0,
    type: "track",
    event: "Product Viewed",
    occurredAt: NOW - 1_000,
    knownAt: NOW,
    userId: null,
    anonymousId: null,
    orderId: null,
    productId: null,
    productName: null,
    quantity: null,
    price: null,
    currency: null,
    properties: null,
    channel: null,
    campaign: null,
    cost: null,
    identifiers: null,
    traits: null,
    consent: null,
    isClaim: false,
    category: null,
    device: null,
    ...changes,
  };
}

/** Puts lines into the inbox, a message each unless they share an id. */
function receive(store: Store, lines: readonly EventLine[]): void {
  if (store.sqlite.prepare("SELECT 1 FROM write_key").get() === undefined) {
    createWriteKey(store, clock, "shop");
  }
  const messages = new Map<string, EventLine[]>();
  for (const one of lines) {
    messages.set(one.messageId, [...(messages.get(one.messageId) ?? []), one]);
  }
  const arrivals = [...messages].map(([messageId, own]) => ({ messageId, lines: own, notes: [] }));
  openInbox(store).append([{ source: "shop", receivedAt: NOW, arrivals }]);
}

/** A profile without what depends on the order of arrival. */
function facts(store: Store, type: string, value: string): Omit<Profile, "id"> {
  const { id, ...rest } = readProfile(store, { type, value }, ALL);
  expect(id).to.be.greaterThan(0);
  return {
    ...rest,
    identifiers: [...rest.identifiers].sort((a, b) =>
      a.type + a.value < b.type + b.value ? -1 : 1,
    ),
  };
}

const JAN = JSON.stringify([["email", "jan@shop.nl"]]);

describe("profiles", () => {
  it("are there as soon as live events are resolved: who, what, when, over which channels", async () => {
    await withStore((store) => {
      const resolve = createLiveResolver(store, clock);
      receive(store, [
        line({ messageId: "1", anonymousId: "cookie", occurredAt: NOW - 9_000, channel: "web" }),
        line({
          messageId: "2",
          type: "identify",
          event: null,
          userId: "jan",
          anonymousId: "cookie",
          identifiers: JAN,
          traits: '{"first_name":"Jan","city":"Breda"}',
          consent: '{"advertising":true,"jurisdiction":"NL"}',
          occurredAt: NOW - 8_000,
        }),
        ...[0, 1].map((position) =>
          line({
            messageId: "3",
            line: position,
            event: "Order Completed",
            userId: "jan",
            orderId: "o1",
            productId: `P${position}`,
            quantity: 2,
            price: 1.25,
            currency: "EUR",
            channel: "store",
            occurredAt: NOW - 7_000,
          }),
        ),
        line({
          messageId: "4",
          event: "Order Refunded",
          userId: "jan",
          orderId: "o1",
          productId: "P1",
          quantity: 1,
          price: 1.25,
          currency: "EUR",
          channel: "store",
          occurredAt: NOW - 6_000,
        }),
        line({
          messageId: "5",
          type: "identify",
          event: null,
          identifiers: JAN,
          traits: '{"city":"Tilburg"}',
          occurredAt: NOW - 5_000,
        }),
      ]);
      expect([resolve(), resolve()]).to.deep.equal([true, false]);
      for (const [type, value] of [
        ["user_id", "jan"],
        ["anonymous_id", "cookie"],
        ["email", " Jan@Shop.NL "],
      ] as const) {
        const profile = readProfile(store, { type, value }, ALL);
        expect(profile.identifiers.map((one) => `${one.type} ${one.value}`)).to.have.members([
          "user_id jan",
          "anonymous_id cookie",
          "email jan@shop.nl",
        ]);
        expect(
          Object.fromEntries(profile.traits.map((one) => [one.name, one.value])),
        ).to.deep.equal({
          city: "Tilburg",
          first_name: "Jan",
        });
        expect(profile.consents).to.deep.equal([
          {
            purpose: "advertising",
            status: "granted",
            source: "shop",
            basis: "sent with an event",
            jurisdiction: "NL",
            recordedAt: NOW - 8_000,
          },
        ]);
        expect(profile.totals).to.deep.equal([
          {
            currency: "EUR",
            orders: 1,
            cancelledOrders: 0,
            amount: 5,
            refundedAmount: 1.25,
            firstAt: NOW - 7_000,
            lastAt: NOW - 7_000,
          },
        ]);
        expect(profile.orders).to.have.lengthOf(1);
        expect(profile.channels.map((one) => [one.channel, one.events])).to.deep.equal([
          ["unknown", 2],
          ["store", 2],
          ["web", 1],
        ]);
        expect(profile.timeline).to.have.lengthOf(6);
        expect([profile.firstSeenAt, profile.lastSeenAt]).to.deep.equal([NOW - 9_000, NOW - 5_000]);
      }
      return Promise.resolve();
    });
  });

  it("say the same whether lines came live, were sealed before, or are read again", async () => {
    const names = fc.constantFrom("a", "b", "c");
    const arbitrary = fc.record({
      userId: fc.option(names),
      anonymousId: fc.option(names),
      identifiers: fc.option(names.map((name) => JSON.stringify([["email", `${name}@x.nl`]]))),
      event: fc.constantFrom("Product Viewed", "Order Completed"),
      orderId: fc.option(names),
      productId: fc.constantFrom("P", "Q"),
      quantity: fc.integer({ min: 1, max: 3 }),
      price: fc.integer({ min: 0, max: 999 }).map((cents) => cents / 100),
      channel: fc.option(fc.constantFrom("web", "app")),
      traits: fc.option(names.map((name) => JSON.stringify({ name }))),
      consent: fc.option(fc.boolean().map((advertising) => JSON.stringify({ advertising }))),
      isClaim: fc.boolean(),
      at: fc.integer({ min: 0, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(arbitrary, { minLength: 1, maxLength: 12 }), async (rows) => {
        const lines = rows.map(({ at, ...row }, index) =>
          line({ ...row, messageId: `m${index}`, occurredAt: NOW - 1_000 * (20 - at) }),
        );
        const tell = (store: Store): unknown =>
          everybody(store).map(([type, value]) => [type, value, facts(store, type, value)]);
        const live = await withStore((store) => {
          const resolve = createLiveResolver(store, clock);
          for (const one of lines) {
            receive(store, [one]);
            resolve();
          }
          return Promise.resolve(tell(store));
        });
        const [sealed, again] = await withStore(async (store) => {
          receive(store, lines);
          await sealInbox(store);
          await resolveCustomers(store, clock);
          const first = tell(store);
          await resolveAgain(store, clock);
          return [first, tell(store)];
        });
        expect(sealed).to.deep.equal(live);
        expect(again).to.deep.equal(live);
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  it("take nothing from a public key but what it says of its visitor", async () => {
    await withStore((store) => {
      const resolve = createLiveResolver(store, clock);
      const forged = { userId: "jan", isClaim: true, traits: '{"first_name":"Mallory"}' };
      receive(store, [
        line({ messageId: "1", userId: "jan", consent: '{"advertising":false}' }),
        line({ messageId: "2", ...forged, consent: '{"advertising":true}' }),
        line({ messageId: "3", ...forged, event: "Order Completed", orderId: "x", price: 99_999 }),
        line({ messageId: "4", ...forged, anonymousId: "cookie" }),
      ]);
      resolve();
      const jan = readProfile(store, { type: "user_id", value: "jan" }, ALL);
      expect([jan.traits, jan.totals, jan.timeline.length]).to.deep.equal([[], [], 1]);
      expect(jan.consents.map(({ status }) => status)).to.deep.equal(["denied"]);
      const visitor = readProfile(store, { type: "anonymous_id", value: "cookie" }, ALL);
      expect(visitor.traits.map(({ value }) => value)).to.deep.equal(["Mallory"]);
      receive(store, [line({ messageId: "5", userId: "jan", anonymousId: "cookie" })]);
      resolve();
      expect(readProfile(store, { type: "anonymous_id", value: "cookie" }, ALL).id).to.equal(
        jan.id,
      );
      return Promise.resolve();
    });
  });

  it("tell money that came back from an order that was called off", async () => {
    await withStore(async (store) => {
      const { source } = createWriteKey(store, clock, "shop");
      const call = (id: string, event: string, properties: object): object => ({
        type: "track",
        messageId: id,
        userId: "jan",
        event,
        properties,
      });
      const products = [{ product_id: "P", price: 5, quantity: 2 }];
      await createCollector(store, clock).collect({
        source,
        calls: [
          call("1", "Order Completed", { order_id: "a", currency: "EUR", products }),
          call("2", "Order Refunded", { order_id: "a", total: 4, currency: "EUR" }),
          call("3", "Order Completed", { order_id: "b", currency: "EUR", products }),
          call("4", "Order Cancelled", { order_id: "b" }),
        ],
      });
      createLiveResolver(store, clock)();
      const { orders, totals } = readProfile(store, { type: "user_id", value: "jan" }, ALL);
      expect(
        orders.map((one) => [one.orderId, one.amount, one.refundedAmount, one.isCancelled]),
      ).to.have.deep.members([
        ["a", 10, 4, false],
        ["b", 10, 10, true],
      ]);
      expect(totals).to.have.lengthOf(1);
      expect(totals[0]).to.include({
        orders: 2,
        cancelledOrders: 1,
        amount: 20,
        refundedAmount: 14,
      });
    });
  });

  it("count an event once, whether a seal comes before or after", async () => {
    await withStore(async (store) => {
      receive(store, [line({ messageId: "1", userId: "jan" })]);
      createLiveResolver(store, clock)();
      receive(store, [line({ messageId: "2", userId: "jan" })]);
      await resolveCustomers(store, clock);
      await sealInbox(store);
      await resolveCustomers(store, clock);
      const profile = readProfile(store, { type: "user_id", value: "jan" }, ALL);
      expect(profile.channels.map((one) => one.events)).to.deep.equal([2]);
      expect(profile.timeline).to.have.lengthOf(2);
    });
  });

  it("keep the latest thousand lines at hand, and all in the counts", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "views.csv");
      const rows = Array.from(
        { length: 1_500 },
        (_, index) => `jan,P,${toIso(NOW - index * 60_000)}`,
      );
      writeFileSync(file, ["user,product,at", ...rows, ""].join("\n"));
      const mapping = parseMapping({
        source: "views",
        event: [{ name: "Product Viewed" }],
        knownAt: "occurredAt",
        fields: { occurredAt: { column: "at" }, userId: "user", productId: "product" },
      });
      await importFile(store, clock, { file, mapping });
      await resolveCustomers(store, clock);
      const profile = readProfile(
        store,
        { type: "user_id", value: "jan" },
        { orders: 0, events: 5_000 },
      );
      expect(profile.channels[0]?.events).to.equal(1_500);
      expect(profile.timeline).to.have.lengthOf(1_000);
      expect(profile.timeline.at(-1)?.occurredAt).to.equal(NOW - 999 * 60_000);
    });
  });
});

describe("consent", () => {
  const consent = (isGranted: boolean): string => JSON.stringify({ advertising: isGranted });
  const said = (id: string, who: Partial<EventLine>, at: number, isGranted: boolean): EventLine =>
    line({ messageId: id, ...who, knownAt: at, occurredAt: at, consent: consent(isGranted) });
  const preference = (
    id: string,
    who: Partial<EventLine>,
    at: number,
    isGranted: boolean,
  ): EventLine => ({
    ...said(id, who, at, isGranted),
    event: "Segment Consent Preference Updated",
  });
  const statusOf = (store: Store, value: string): string | undefined =>
    findCustomer(store, { type: "user_id", value }).consents[0]?.status;

  it("is unknown until it is given, and the latest word counts", async () => {
    await withStore(async (store) => {
      const resolve = createLiveResolver(store, clock);
      receive(store, [line({ messageId: "0", userId: "jan" })]);
      resolve();
      expect(statusOf(store, "jan")).to.equal(undefined);
      receive(store, [said("2", { userId: "jan" }, 200, true)]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("granted");
      receive(store, [said("3", { userId: "jan" }, 300, false)]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("denied");
      receive(store, [said("1", { userId: "jan" }, 100, true)]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("denied", "an older grant that arrives late");
      await resolveCustomers(store, clock);
      expect(statusOf(store, "jan")).to.equal("denied");
    });
  });

  it("is not given back by what a browser remembers when its visitor turns out to be somebody", async () => {
    await withStore((store) => {
      const resolve = createLiveResolver(store, clock);
      receive(store, [
        preference("1", { anonymousId: "cookie" }, 100, false),
        said("2", { userId: "jan", anonymousId: "cookie" }, 200, true),
      ]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("denied");
      return Promise.resolve();
    });
  });

  it("takes the stricter where customers join, until the person gives it again", async () => {
    await withStore(async (store) => {
      const resolve = createLiveResolver(store, clock);
      receive(store, [
        said("1", { userId: "jan" }, 500, true),
        said("2", { anonymousId: "cookie" }, 100, false),
      ]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("granted");
      receive(store, [
        line({
          messageId: "3",
          userId: "jan",
          anonymousId: "cookie",
          knownAt: 600,
          occurredAt: 600,
        }),
      ]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("denied");
      receive(store, [said("4", { userId: "jan" }, 700, true)]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("denied", "a browser that repeats what it remembers");
      receive(store, [preference("5", { userId: "jan" }, 800, true)]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("granted");
      await resolveCustomers(store, clock);
    });
  });

  it("is what an operator states of a source as soon as a known person comes there", async () => {
    await withStore((store) => {
      const resolve = createLiveResolver(store, clock);
      receive(store, [line({ messageId: "0", userId: "jan" })]);
      resolve();
      store.sqlite
        .prepare("INSERT INTO stated_consent VALUES ('app', 'analytics', 'contract', NULL, 0)")
        .run();
      receive(store, [line({ messageId: "1", userId: "jan" })]);
      resolve();
      expect(statusOf(store, "jan")).to.equal(undefined);
      const arrivals = ["2", "3"].map((messageId) => ({
        messageId,
        lines: [line({ messageId, userId: "jan" })],
        notes: [],
      }));
      openInbox(store).append([{ source: "app", receivedAt: NOW, arrivals }]);
      resolve();
      expect(statusOf(store, "jan")).to.equal("granted");
      return Promise.resolve();
    });
  });
});

function everybody(store: Store): [string, string][] {
  return store.sqlite
    .prepare<[], [string, string]>(
      "SELECT type, value FROM identifier WHERE customer_id IS NOT NULL ORDER BY 1, 2",
    )
    .raw()
    .all();
}
