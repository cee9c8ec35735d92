import { join } from "node:path";
import { expect } from "chai";
import { literal, type SqlRow, type Store, silentProgress } from "../../src/base/index.ts";
import {
  type ImportReport,
  importFile,
  importFiles,
  listPresets,
  parseMapping,
  presetMapping,
} from "../../src/collection/index.ts";
import { historyRows } from "../support/history.ts";
import { shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;

async function load(
  store: Store,
  name: string,
  preset: string,
  options: { region?: string } = {},
): Promise<ImportReport> {
  const [outcome] = await importFiles(
    store,
    shopClock,
    { files: [join(FIXTURES, name)], choice: { preset, ...options }, dryRun: false },
    silentProgress,
  );
  expect(outcome?.error?.message).to.equal(undefined);
  if (outcome?.report === undefined) {
    throw new Error(`no report of ${name}`);
  }
  return outcome.report;
}

const at = (row: SqlRow): string => new Date(Number(row["occurred_at_ms"])).toISOString();

const brief = (row: SqlRow): unknown[] => [
  row["event"],
  row["message_id"],
  row["line"],
  row["order_id"],
  row["product_id"],
  row["quantity"],
  row["price"],
];

describe("collection/presets", () => {
  it("all are mappings that can be written to a file and read again", () => {
    const presets = listPresets();
    expect(presets.map(({ name, format }) => `${name}.${format}`)).to.deep.equal([
      "ga4-bigquery.jsonl",
      "shopify-orders.csv",
      "shopify-orders.jsonl",
      "woocommerce-orders.jsonl",
    ]);
    for (const { name, format } of presets) {
      const mapping = parseMapping(presetMapping(name, format), name);
      expect(parseMapping(JSON.parse(JSON.stringify(mapping)))).to.deep.equal(mapping);
    }
    expect(() => presetMapping("shopfy-orders")).to.throw(/nearest: shopify-orders/);
    expect(() => presetMapping("ga4-bigquery", "csv")).to.throw(/reads jsonl, not csv/);
  });

  it("Shopify's CSV: what stands on an order's first row holds for all of it", async () => {
    await withStore(async (store) => {
      const report = await load(store, "shopify-orders.csv", "shopify-orders", { region: "NL" });
      expect(report).to.include({ rowsRead: 7, rowsAccepted: 6, rowsSkipped: 1, rowsRejected: 0 });
      expect(report.channels).to.deep.equal({ web: 4, store: 2 });
      expect(report.identifiersDropped).to.deep.equal({ email: 1 });
      expect(report.identifiersDroppedRows).to.deep.equal({ email: [3] });
      const rows = await historyRows(store);
      expect(rows.map(brief)).to.deep.equal([
        ["Order Completed", "order-#1001", 0, "#1001", "LIP-1", 2, 8.75],
        ["Order Completed", "order-#1001", 1, "#1001", "Serum, 30 ml", 1, 30],
        ["Order Completed", "order-#1002", 0, "#1002", "LIP-1", 1, 8.75],
        ["Order Completed", "order-#1003", 0, "#1003", "SER-1", 1, 30],
        ["Order Cancelled", "cancel-#1003", 0, "#1003", null, null, null],
        ["Order Refunded", "refund-#1002", 0, "#1002", null, null, null],
      ]);
      expect(rows.map(at)).to.deep.equal([
        "2024-01-05T09:00:25.000Z",
        "2024-01-05T09:00:25.000Z",
        "2024-01-07T11:00:00.000Z",
        "2024-02-01T07:00:00.000Z",
        "2024-02-02T08:30:00.000Z",
        "2024-07-01T00:00:00.000Z",
      ]);
      expect(rows.slice(0, 3).map((row) => row["identifiers"])).to.deep.equal([
        '[["email","jan@example.nl"],["phone","+31612345678"]]',
        '[["email","jan@example.nl"],["phone","+31612345678"]]',
        '[["phone","+31687654321"]]',
      ]);
      expect(JSON.parse(String(rows[0]?.["traits"]))).to.deep.equal({
        name: "Jan Jansen",
        address: { street: "Dam 1", city: "Amsterdam", postal_code: "'1012JS", country: "NL" },
      });
      expect(rows.map((row) => row["consent"])).to.deep.equal([
        '{"advertising":true,"jurisdiction":"NL"}',
        null,
        '{"advertising":false,"jurisdiction":"NL"}',
        '{"advertising":true,"jurisdiction":"US"}',
        null,
        null,
      ]);
    });
  });

  it("Shopify's API: lines, refunds inside the order, and cancellations", async () => {
    await withStore(async (store) => {
      const report = await load(store, "shopify-orders.jsonl", "shopify-orders");
      expect(report).to.include({ rowsRead: 6, rowsAccepted: 6, rowsSkipped: 0 });
      const rows = await historyRows(store);
      const taken = rows
        .map(brief)
        .map(([event, id, , order, product, quantity]) => [event, id, order, product, quantity]);
      expect(taken).to.have.deep.members([
        ["Order Completed", "order-#1001", "#1001", "IPOD2008GREEN", 1],
        ["Order Completed", "order-#1001", "#1001", "457924702", 2],
        ["Order Refunded", "refund-509562969", "#1001", "457924702", 1],
        ["Order Refunded", "refund-509562969", "#1001", "IPOD2008GREEN", 1],
        ["Order Completed", "order-#1002", "#1002", "2", 1],
        ["Order Cancelled", "cancel-#1002", "#1002", null, null],
      ]);
      expect(rows.map((row) => row["user_id"])).to.deep.equal([
        "207119551",
        "207119551",
        null,
        null,
        "207119551",
        "207119551",
      ]);
      expect(rows[0]).to.include({
        channel: "web",
        identifiers: '[["email","bob@example.com"],["phone","+557734881234"]]',
        consent: '{"advertising":true,"jurisdiction":"US"}',
      });
      expect(rows[2]).to.include({ channel: "store", consent: '{"advertising":false}' });
    });
  });

  it("WooCommerce: guests, refunds of whole orders, and no order that was never paid for", async () => {
    await withStore(async (store) => {
      const report = await load(store, "woocommerce-orders.jsonl", "woocommerce-orders", {
        region: "NL",
      });
      expect(report).to.include({ rowsRead: 5, rowsAccepted: 4, rowsSkipped: 1 });
      const rows = await historyRows(store);
      expect(rows[3]).to.include({
        event: "Order Refunded",
        message_id: "refund-728",
        order_id: "728",
      });
      expect(rows.slice(0, 3).map(brief)).to.deep.equal([
        ["Order Completed", "order-727", 0, "727", "93", 2, 3],
        ["Order Completed", "order-727", 1, "727", "Bar3", 1, 12],
        ["Order Completed", "order-728", 0, "728", "Bar3", 1, 12],
      ]);
      expect(rows.map((row) => [row["user_id"], row["channel"], at(row)])).to.deep.equal([
        [null, "web", "2024-03-22T16:28:02.000Z"],
        [null, "web", "2024-03-22T16:28:02.000Z"],
        ["26", "store", "2024-03-23T10:00:00.000Z"],
        ["26", "store", "2024-03-25T10:00:00.000Z"],
      ]);
      expect(rows.map((row) => row["device"])).to.deep.equal(["tablet", "tablet", null, null]);
      expect(rows[1]?.["identifiers"]).to.equal(
        '[["email","eva@example.nl"],["phone","+31182123456"]]',
      );
    });
  });

  it("GA4: items as lines, consent mode, and the same from Parquet", async () => {
    await withStore(async (store, folder) => {
      const report = await load(store, "ga4-bigquery.jsonl", "ga4-bigquery");
      expect(report).to.include({ rowsRead: 6, rowsAccepted: 6 });
      expect(report.events).to.deep.equal({
        "Order Completed": 2,
        "Order Refunded": 1,
        "Page Viewed": 1,
        "Product Viewed": 1,
        session_start: 1,
      });
      expect(report.unknownEvents).to.deep.equal({ session_start: 1 });
      const rows = await historyRows(store);
      const others = rows.filter((row) => row["event"] !== "Order Refunded");
      expect(others.map((row) => brief(row).filter((_, index) => index !== 1))).to.deep.equal([
        ["Page Viewed", 0, null, null, null, null],
        ["Product Viewed", 0, null, "SKU_12345", null, 10.01],
        ["Order Completed", 0, "T_12345", "SKU_12345", 1, 10.01],
        ["Order Completed", 1, "T_12345", "SKU_12346", 2, 10.01],
        ["session_start", 0, null, null, null, null],
      ]);
      expect(rows[0]).to.include({
        occurred_at_ms: 1_706_781_600_123,
        anonymous_id: "111.222",
        campaign: "spring",
        channel: "web",
        consent: '{"advertising":false,"analytics":true}',
        message_id: "1706781600123456-111.222-page_view-11---",
      });
      expect(others.map((row) => row["consent"]).slice(1)).to.deep.equal([
        '{"analytics":true}',
        '{"advertising":true,"analytics":true}',
        null,
        '{"advertising":false,"analytics":false}',
      ]);
      expect(others.map((row) => [row["category"], row["device"]])).to.deep.equal([
        [null, "mobile"],
        ["Apparel", "desktop"],
        ["Apparel", null],
        [null, null],
        [null, null],
      ]);
      const parquet = join(folder, "events.parquet");
      const duckdb = await store.openDuckDb();
      await duckdb.run(
        `COPY (SELECT * FROM read_json(${literal(join(FIXTURES, "ga4-bigquery.jsonl"))}, format = 'newline_delimited')) TO ${literal(parquet)} (FORMAT parquet)`,
      );
      duckdb.close();
      const mapping = parseMapping({ ...presetMapping("ga4-bigquery"), source: "parquet" });
      await importFile(store, shopClock, { file: parquet, mapping });
      const again = await historyRows(store, "source = 'parquet'");
      const content = (row: SqlRow): SqlRow => ({ ...row, source: "", properties: "" });
      expect(again.map(content)).to.deep.equal(rows.map(content));
    });
  });
});
