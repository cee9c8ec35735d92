import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { DAY_MS, literal, ServiceError, type SqlRow, type Store } from "../../src/base/index.ts";
import {
  type BuildRequest,
  featureCatalogue,
  featuresNamed,
  hasBrowsing,
  intentService,
  openOfflineStore,
  wholeService,
} from "../../src/features/index.ts";
import { importLines, rhythmicOrders, type ShopLine, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const CUTOFF = Date.parse("2024-04-01T00:00:00Z");
const PAIRS = {
  service: wholeService("pair"),
  spine: { entity: "pair", minimumPurchases: 1 },
} as const;

async function build(
  store: Store,
  folder: string,
  request: Omit<BuildRequest, "file">,
): Promise<SqlRow[]> {
  const file = join(folder, "rows.parquet");
  const offline = await openOfflineStore(store);
  await offline.build({ ...request, file });
  offline.close();
  const duckdb = await store.openDuckDb();
  const rows = await duckdb.rows(`SELECT * FROM read_parquet(${literal(file)}) ORDER BY ALL`);
  duckdb.close();
  return rows;
}

/** One customer buying A on four days (twice on one) and B once; all before the cutoff. */
const BOUGHT: readonly ShopLine[] = [
  { user: "u1", order: "1", product: "A", quantity: 2, price: 5, at: "2024-01-01T12:00:00Z" },
  { user: "u1", order: "1", product: "B", quantity: 1, price: 20, at: "2024-01-01T12:00:00Z" },
  { user: "u1", order: "2", product: "A", quantity: 4, price: 5, at: "2024-01-21T12:00:00Z" },
  { user: "u1", order: "3", product: "A", quantity: 1, price: 6, at: "2024-01-31T08:00:00Z" },
  { user: "u1", order: "4", product: "A", quantity: 1, price: 6, at: "2024-01-31T18:00:00Z" },
  { user: "u1", order: "5", product: "A", quantity: 3, price: 6, at: "2024-03-01T12:00:00Z" },
];

describe("features/offline-store", () => {
  it("computes recency, frequency, monetary value, gaps and basket as by hand", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, BOUGHT);
      const rows = await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF] });
      const row = rows.find((one) => one["product"] === "A");
      // Days of purchase: 01-01, 01-21, 01-31, 03-01; gaps 20, 10, 30.
      const expected: Readonly<Record<string, number | null>> = {
        pair_recency_days: 30.5,
        pair_tenure_days: 90.5,
        pair_frequency: 4,
        pair_frequency_90d: 3,
        pair_quantity_mean: 11 / 4,
        pair_quantity_last: 3,
        pair_monetary: 10 + 20 + 12 + 18,
        pair_gap_mean_days: 20,
        pair_gap_std_days: 10,
        pair_gap_median_days: 20,
        pair_gap_last_days: 30,
        pair_gap_max_days: 30,
        pair_overdue_ratio: 30.5 / 20,
        pair_gap_left_days: -10.5,
        pair_gap_variation: 0.5,
        pair_order_share: 1,
        pair_orders_skipped: 0,
        pair_last_order_number: 4,
        customer_recency_days: 30.5,
        customer_frequency: 4,
        customer_frequency_30d: 0,
        customer_frequency_365d: 4,
        customer_monetary: 80,
        customer_order_amount_mean: 20,
        customer_basket_products_mean: 5 / 4,
        customer_basket_products_last: 1,
        customer_products: 2,
        customer_repeat_share: 0.5,
        customer_refund_days: 0,
        customer_refund_recency_days: null,
        product_buyers: 1,
        product_repeat_share: 1,
        product_gap_mean_days: 20,
        browsing_events_30d: 0,
        browsing_recency_days: null,
      };
      for (const [name, value] of Object.entries(expected)) {
        if (value === null) {
          expect(row?.[name], name).to.equal(null);
        } else {
          expect(row?.[name], name).to.be.closeTo(value, 1e-5);
        }
      }
      const single = rows.find((one) => one["product"] === "B");
      expect(single).to.include({
        pair_frequency: 1,
        pair_gap_mean_days: null,
        pair_gap_std_days: null,
        pair_orders_skipped: 3,
      });
    });
  });

  it("sees nothing of the future, nor of what arrived late", async () => {
    const planted: readonly ShopLine[] = [
      // At the cutoff itself: the interval is half-open.
      {
        user: "u1",
        order: "future",
        product: "A",
        quantity: 100,
        price: 1000,
        at: "2024-04-01T00:00:00Z",
      },
      { user: "u1", event: "view", product: "A", at: "2024-04-02T00:00:00Z" },
      { user: "u9", order: "future", product: "C", at: "2024-05-01T00:00:00Z" },
      // Happened before, became known at or after the cutoff.
      {
        user: "u1",
        order: "late",
        product: "A",
        quantity: 50,
        price: 99,
        at: "2024-02-15T00:00:00Z",
        known: "2024-04-01T00:00:00Z",
      },
      {
        user: "u1",
        event: "refund",
        order: "5",
        product: "A",
        quantity: 3,
        at: "2024-03-05T00:00:00Z",
        known: "2024-04-03T00:00:00Z",
      },
    ];
    await withStore(async (store, folder) => {
      await importLines(store, folder, BOUGHT);
      const before = await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF] });
      await importLines(store, folder, planted, shopMapping(), "planted.csv");
      expect(await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF] })).to.deep.equal(before);
      // The same rows a month later do change: the planted events were there to be seen.
      const later = await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF + 30 * DAY_MS] });
      const pair = later.find((row) => row["customer_id"] === 1 && row["product"] === "A");
      expect(pair).to.include({ pair_frequency: 5, customer_refund_days: 1 });
    });
  });

  it("lets a refund take back what it cancels, from when it is known", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        ...BOUGHT,
        {
          user: "u1",
          event: "refund",
          order: "r",
          product: "A",
          quantity: 3,
          price: 6,
          at: "2024-03-02T12:00:00Z",
        },
      ]);
      const at = async (cutoff: string): Promise<SqlRow | undefined> =>
        (await build(store, folder, { ...PAIRS, cutoffs: [Date.parse(cutoff)] })).find(
          (row) => row["product"] === "A",
        );
      expect(await at("2024-03-02T00:00:00Z")).to.include({
        pair_frequency: 4,
        pair_quantity_last: 3,
      });
      expect(await at("2024-03-03T00:00:00Z")).to.include({
        pair_frequency: 3,
        pair_quantity_last: 2,
        pair_monetary: 42,
        customer_refund_days: 1,
      });
    });
  });

  it("labels the first purchase after the cutoff, as far as it is known and not taken back", async () => {
    const label = (
      knownBefore: string,
    ): { count: number; lengthMs: number; knownBefore: number } => ({
      count: 4,
      lengthMs: 7 * DAY_MS,
      knownBefore: Date.parse(knownBefore),
    });
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        ...BOUGHT,
        { user: "u1", order: "6", product: "A", at: "2024-04-01T00:00:00Z" },
        { user: "u1", event: "refund", order: "6", product: "A", at: "2024-04-11T00:00:00Z" },
        {
          user: "u1",
          order: "7",
          product: "A",
          at: "2024-04-10T00:00:00Z",
          known: "2024-04-20T00:00:00Z",
        },
        { user: "u1", order: "8", product: "B", at: "2024-04-29T00:00:00Z" },
      ]);
      const labels = ["2024-04-09T00:00:00Z", "2024-04-15T00:00:00Z", "2024-06-01T00:00:00Z"].map(
        label,
      );
      const rows = await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF], labels });
      const a = rows.find((row) => row["product"] === "A");
      expect(a).to.include({ event_interval_0: 0, observed_intervals_0: 1 });
      // Refunded on the 11th and nothing else known by the 15th.
      expect(a).to.include({ event_interval_1: null, observed_intervals_1: 2 });
      expect(a).to.include({ event_interval_2: 1, observed_intervals_2: 4 });
      // The horizon's end, the 29th, is open.
      expect(rows.find((row) => row["product"] === "B")).to.include({
        event_interval_2: null,
        observed_intervals_2: 4,
      });
    });
  });

  it("leaves out what is no product, is free, or has no customer, and groups variants by the mapping", async () => {
    const lines: readonly ShopLine[] = [
      { user: "u1", product: "85123a", at: "2024-01-01T00:00:00Z" },
      { user: "u1", product: "85123B", at: "2024-01-08T00:00:00Z" },
      { user: "u1", product: "POST", at: "2024-01-09T00:00:00Z" },
      { user: "u1", product: "85124", price: 0, at: "2024-01-10T00:00:00Z" },
      { product: "85123A", at: "2024-01-11T00:00:00Z" },
    ];
    const products = async (group: object): Promise<unknown[]> =>
      withStore(async (store, folder) => {
        await importLines(
          store,
          folder,
          lines,
          shopMapping({ products: { pattern: "^[0-9]{5}[A-Za-z]?$", group } }),
        );
        return (await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF] })).map((row) => [
          row["product"],
          row["pair_frequency"],
        ]);
      });
    expect(await products({ case: "upper" })).to.deep.equal([
      ["85123A", 1],
      ["85123B", 1],
    ]);
    expect(await products({ pattern: "^([0-9]{5})" })).to.deep.equal([["85123", 2]]);
  });

  it("takes a changed mapping's grouping without importing anew", async () => {
    await withStore(async (store, folder) => {
      const lines: readonly ShopLine[] = [
        { user: "u1", product: "1a", at: "2024-01-01T00:00:00Z" },
        { user: "u1", product: "1b", at: "2024-01-08T00:00:00Z" },
      ];
      await importLines(store, folder, lines);
      const report = await importLines(
        store,
        folder,
        lines,
        shopMapping({ products: { group: { pattern: "^([0-9])" } } }),
      );
      expect(report).to.include({ rowsAccepted: 0, rowsDuplicate: 2 });
      expect(
        (await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF] })).map((row) => row["product"]),
      ).to.deep.equal(["1"]);
    });
  });

  it("takes a category for the product where the mapping says so, and the product where a line names none", async () => {
    await withStore(async (store, folder) => {
      const { fields } = shopMapping();
      const mapping = shopMapping({
        fields: { ...fields, category: "order" },
        products: { grain: "category" },
      });
      const lines: readonly ShopLine[] = [
        { user: "u1", product: "1", order: "soap", at: "2024-01-01T00:00:00Z" },
        { user: "u1", product: "2", order: "soap", at: "2024-01-08T00:00:00Z" },
        { user: "u1", product: "3", at: "2024-01-01T00:00:00Z" },
        { user: "u1", product: "3", at: "2024-01-09T00:00:00Z" },
      ];
      await importLines(store, folder, lines, mapping);
      const rows = await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF] });
      expect(rows.map((row) => [row["product"], row["pair_frequency"]])).to.deep.equal([
        ["3", 2],
        ["soap", 2],
      ]);
    });
  });

  it("counts browsing where there is some", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        ...BOUGHT,
        { user: "u1", event: "Product Added", at: "2024-03-30T00:00:00Z" },
        { user: "u1", event: "view", at: "2024-03-31T12:00:00Z" },
        { visitor: "v7", event: "view", at: "2024-03-31T12:00:00Z" },
      ]);
      const rows = await build(store, folder, {
        service: intentService,
        spine: { entity: "customer", activeWithinDays: 30 },
        cutoffs: [CUTOFF],
      });
      expect(rows).to.have.length(2);
      expect(rows[0]).to.include({
        browsing_events_1d: 1,
        browsing_events_7d: 2,
        cart_adds_7d: 1,
        cart_add_recency_days: 2,
        browsing_recency_days: 0.5,
      });
      expect(rows[1]).to.include({
        customer_frequency: 0,
        customer_recency_days: null,
        browsing_events_7d: 1,
      });
    });
  });

  it("writes the same bytes for an old cutoff, before and after more arrived", async () => {
    const digest = async (store: Store, folder: string): Promise<string> => {
      await build(store, folder, {
        ...PAIRS,
        cutoffs: [Date.parse("2023-06-01"), Date.parse("2023-09-01")],
      });
      return createHash("sha256")
        .update(readFileSync(join(folder, "rows.parquet")))
        .digest("hex");
    };
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(40, 300));
      const first = await digest(store, folder);
      expect(await digest(store, folder)).to.equal(first);
      await importLines(
        store,
        folder,
        [{ user: "u1", product: "P1", at: "2023-02-01T00:00:00Z", known: "2024-01-01T00:00:00Z" }],
        shopMapping(),
        "late.csv",
      );
      expect(await digest(store, folder)).to.equal(first);
    });
  });

  it("builds nothing from an empty store, and names the nearest feature", async () => {
    await withStore(async (store, folder) => {
      expect(await build(store, folder, { ...PAIRS, cutoffs: [CUTOFF] })).to.deep.equal([]);
      expect(() => featuresNamed(["pair_recency"])).to.throw(
        ServiceError,
        /no feature "pair_recency"; nearest: pair_recency_days/,
      );
      expect(new Set(featureCatalogue().map((feature) => feature.name)).size).to.equal(
        featureCatalogue().length,
      );
    });
  });

  it("takes a visitor's browsing as a customer's only from when that was known", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        ...BOUGHT,
        { visitor: "v1", event: "view", at: "2024-03-30T00:00:00Z" },
        { visitor: "v1", user: "u1", event: "view", at: "2024-04-02T00:00:00Z" },
      ]);
      const events = async (cutoff: number): Promise<unknown> =>
        (
          await build(store, folder, {
            service: intentService,
            spine: { entity: "customer", activeWithinDays: 60 },
            cutoffs: [cutoff],
          })
        )[0]?.["browsing_events_30d"];
      expect(await events(CUTOFF)).to.equal(0);
      expect(await events(CUTOFF + 2 * DAY_MS)).to.equal(2);
      expect([
        await hasBrowsing(store, CUTOFF),
        await hasBrowsing(store, Date.parse("2024-03-01")),
      ]).to.deep.equal([true, false]);
    });
  });
});
