import { join } from "node:path";
import RudderAnalytics from "@rudderstack/rudder-sdk-node";
import { Analytics } from "@segment/analytics-node";
import { expect } from "chai";
import { DAY_MS, literal } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { findCustomer, resolveCustomers } from "../../src/customers/index.ts";
import { openOfflineStore } from "../../src/features/index.ts";
import { intentTask } from "../../src/models/index.ts";
import { startServer } from "../../src/server.ts";
import { openService, type Service } from "../../src/service.ts";
import { historyRows, linkedRows, readRows } from "../support/live.ts";
import { inFolder } from "../support/temporary.ts";

const PRODUCTS = [
  { product_id: "A", name: "Soap", quantity: 2, price: 3.5 },
  { product_id: "B", name: "Towel", quantity: 1, price: 9 },
];

interface Track {
  readonly event: string;
  readonly properties: Record<string, string | number | typeof PRODUCTS>;
}

/** A day's shopping after an identify and a page call. */
const TRACKS: readonly Track[] = [
  { event: "Product Viewed", properties: { product_id: "A", price: 3.5 } },
  { event: "Product Added", properties: { product_id: "A", quantity: 2 } },
  {
    event: "Order Completed",
    properties: { order_id: "o1", currency: "EUR", total: 16, products: PRODUCTS },
  },
  {
    event: "Order Refunded",
    properties: { order_id: "o1", products: PRODUCTS.slice(1) },
  },
];

/** Runs a shop's client against a running server, then looks at what it left. */
async function shop(send: (url: string, key: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const config = { ...readConfig({ store: join(folder, "store") }), logLevel: "silent" };
    const service = await openService(config, { quiet: true });
    try {
      const { key } = createWriteKey(service.store, service.clock, "webshop");
      let seal: () => void = () => undefined;
      const server = await startServer(service, "127.0.0.1", 0, (_interval, work) => {
        seal = work;
        return () => undefined;
      });
      await send(server.url, key);
      seal();
      await server.close();
      await checkShop(service);
    } finally {
      service.close();
    }
  });
}

async function checkShop({ store, clock }: Service): Promise<void> {
  await resolveCustomers(store, clock);
  const rows = await historyRows(
    store,
    `SELECT type, event, count(DISTINCT message_id) AS messages, count(*) AS lines,
            bool_and(occurred_at_ms <= known_at_ms) AS is_past
     FROM history GROUP BY ALL ORDER BY type, event`,
  );
  const once = { messages: 1, lines: 1, is_past: true };
  expect(rows).to.deep.equal([
    { type: "identify", event: null, ...once },
    { type: "page", event: "Page Viewed", ...once },
    { type: "track", event: "Order Completed", ...once, lines: 2 },
    { type: "track", event: "Order Refunded", ...once },
    { type: "track", event: "Product Added", ...once },
    { type: "track", event: "Product Viewed", ...once },
  ]);
  expect(
    await linkedRows(
      store,
      "SELECT o.product_id FROM history r JOIN history o ON o.message_id = r.refunded_message_id AND o.line = r.refunded_line",
    ),
  ).to.deep.equal([{ product_id: "B" }]);
  const byUser = findCustomer(store, { type: "user_id", value: "jan" });
  expect(findCustomer(store, { type: "anonymous_id", value: "visitor" }).id).to.equal(byUser.id);
  const offline = await openOfflineStore(store);
  try {
    expect(await offline.describe()).to.deep.include({ orderLines: 2, browsingEvents: 3 });
    const { service, spine } = intentTask({ poolDays: 30 });
    const file = join(store.folder, "features.parquet");
    const cutoffs = [clock.now() + DAY_MS];
    expect(await offline.build({ service, cutoffs, spine, file })).to.equal(1);
    // Two bars of soap at 3.50 are left after the towel went back.
    const sql =
      "SELECT customer_frequency AS orders, customer_monetary AS spent, customer_refund_days AS refunds";
    expect(await readRows(store, `${sql} FROM read_parquet(${literal(file)})`)).to.deep.equal([
      { orders: 1, spent: 7, refunds: 1 },
    ]);
  } finally {
    offline.close();
  }
}

describe("real clients, unchanged", () => {
  it("@segment/analytics-node sends a day's shopping, once each", async () => {
    await shop(async (host, writeKey) => {
      const client = new Analytics({ host, writeKey, flushAt: 3 });
      const errors: unknown[] = [];
      client.on("error", (error) => errors.push(error));
      const who = { userId: "jan", anonymousId: "visitor" };
      client.identify({ ...who, traits: { city: "Utrecht" } });
      client.page({ ...who, name: "Home" });
      for (const track of TRACKS) {
        client.track({ ...who, ...track });
      }
      await client.closeAndFlush();
      expect(errors).to.deep.equal([]);
    });
  });

  it("@rudderstack/rudder-sdk-node does, by gzip that calls itself a form", async () => {
    await shop(async (dataPlaneUrl, key) => {
      const errors: unknown[] = [];
      const client = new RudderAnalytics(key, {
        dataPlaneUrl,
        flushAt: 100,
        logLevel: "none",
        errorHandler: (error: unknown) => errors.push(error),
      });
      const who = { userId: "jan", anonymousId: "visitor" };
      client.identify({ ...who, traits: { city: "Utrecht" } });
      client.page({ ...who, name: "Home" });
      for (const track of TRACKS) {
        client.track({ ...who, ...track });
      }
      await client.flush();
      expect(errors).to.deep.equal([]);
    });
  });
});
