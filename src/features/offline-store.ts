import { renameSync } from "node:fs";
import { type DuckDb, literal, type Store } from "../base/index.ts";
import {
  BROWSING_EVENTS,
  createLinkedHistory,
  EVERY_PRODUCT,
  EventName,
  historySql,
  parseMapping,
  REFUND_EVENTS,
  sourceMappings,
} from "../collection/index.ts";
import { identitySql, resolvedLinesSql } from "../customers/index.ts";
import type { FeatureService } from "./feature-service.ts";
import { featureRowsSql, type Label, productGroupSql, type Spine } from "./offline-sql.ts";

/** The product of an order that names none: such a shop is modelled per customer. */
const ANY_PRODUCT = "*";

/** Whether any browsing event had happened and was known before an instant (epoch ms). */
export async function hasBrowsing(store: Store, before: number): Promise<boolean> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 200 });
  try {
    const names = BROWSING_EVENTS.map((name) => literal(name)).join(", ");
    return (
      (
        await duckdb.rows(
          `SELECT 1 AS found FROM ${historySql(store)} WHERE event IN (${names})
           AND occurred_at_ms < ${before} AND known_at_ms < ${before} LIMIT 1`,
        )
      ).length > 0
    );
  } finally {
    duckdb.close();
  }
}

/** A session over the store in which features can be built at any cutoff. Close it after use. */
export interface OfflineStore {
  /**
   * Writes the rows of the given cutoffs (epoch ms) to one Parquet file and returns their number.
   * The file appears whole or not at all. `onCutoff` is told after each cutoff.
   */
  build(request: BuildRequest, onCutoff?: (done: number, total: number) => void): Promise<number>;
  /** How many order lines and browsing events there are, and when the first order was (epoch ms; null without any). */
  describe(): Promise<{
    readonly orderLines: number;
    readonly browsingEvents: number;
    readonly firstOrderAt: number | null;
  }>;
  /** The product groups with their most frequent name. */
  productNames(): Promise<{ readonly product: string; readonly name: string | null }[]>;
  close(): void;
}

export interface BuildRequest {
  readonly service: FeatureService;
  readonly cutoffs: readonly number[];
  readonly spine: Spine;
  readonly labels?: readonly Label[];
  readonly file: string;
}

/**
 * Reads the history once, resolves its customers and product groups, and keeps order lines, refund
 * lines and browsing events in memory (spilling where they don't fit).
 */
export async function openOfflineStore(store: Store): Promise<OfflineStore> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 700 });
  try {
    await prepare(duckdb, store);
  } catch (error) {
    duckdb.close();
    throw error;
  }
  return {
    build: (request, onCutoff) => build(duckdb, request, onCutoff),
    describe: async () => {
      const row = (
        await duckdb.rows(
          `SELECT (SELECT count(*) FROM order_line) AS orders, (SELECT count(*) FROM browse_event) AS browsing,
                  (SELECT min(occurred_at_ms) FROM order_line) AS first`,
        )
      )[0];
      const first = row?.["first"] ?? null;
      return {
        orderLines: Number(row?.["orders"]),
        browsingEvents: Number(row?.["browsing"]),
        firstOrderAt: first === null ? null : Number(first),
      };
    },
    productNames: async () => {
      const rows = await duckdb.rows("SELECT product, name FROM product_name ORDER BY product");
      return rows.map((row) => ({
        product: String(row["product"]),
        name: row["name"] === null || row["name"] === undefined ? null : String(row["name"]),
      }));
    },
    close: () => {
      duckdb.close();
    },
  };
}

async function prepare(duckdb: DuckDb, store: Store): Promise<void> {
  const rules = [...sourceMappings(store)].map(([source, json]) => {
    const products = parseMapping(JSON.parse(json)).products ?? EVERY_PRODUCT;
    return {
      source,
      pattern: products.pattern,
      groupPattern: products.group.pattern,
      groupCase: products.group.case,
    };
  });
  await createLinkedHistory(duckdb, store);
  await duckdb.run(`CREATE TEMP TABLE identity AS SELECT * FROM ${identitySql(store)}`);
  await duckdb.run(
    `CREATE TEMP TABLE product_group AS
     SELECT source, product_id, ${productGroupSql(rules)} AS product
     FROM (SELECT DISTINCT source, product_id FROM history WHERE product_id IS NOT NULL)`,
  );
  await duckdb.run(
    `CREATE TEMP VIEW resolved AS
     SELECT h.*, CASE WHEN h.product_id IS NULL THEN ${literal(ANY_PRODUCT)} ELSE g.product END AS product
     FROM (${resolvedLinesSql("history", "identity")}) h
     LEFT JOIN product_group g ON g.source = h.source AND g.product_id = h.product_id`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE numbered AS
     SELECT row_number() OVER (ORDER BY source, message_id, line) AS line_key, source, message_id, line, customer_id, product,
            occurred_at_ms, known_at_ms, coalesce(quantity, 1) AS quantity, coalesce(price, 0) AS price
     FROM resolved
     WHERE event = ${literal(EventName.orderCompleted)} AND product IS NOT NULL
       AND (quantity IS NULL OR quantity > 0) AND (price IS NULL OR price > 0)`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE refund_line AS
     SELECT n.line_key, r.customer_id, r.product, r.occurred_at_ms, r.known_at_ms, coalesce(r.quantity, 1) AS quantity
     FROM resolved r
     LEFT JOIN numbered n ON n.source = r.source AND n.message_id = r.refunded_message_id AND n.line = r.refunded_line
     WHERE r.event IN (${REFUND_EVENTS.map((name) => literal(name)).join(", ")}) AND r.product IS NOT NULL`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE order_line AS SELECT line_key, customer_id, product, occurred_at_ms, known_at_ms, quantity, price FROM numbered`,
  );
  await duckdb.run("DROP TABLE numbered");
  await duckdb.run(
    `CREATE TEMP TABLE browse_event AS
     SELECT customer_id, occurred_at_ms, known_at_ms,
            CASE WHEN event = 'Product Added' THEN 1 ELSE 0 END AS is_cart,
            CASE WHEN event = 'Checkout Started' THEN 1 ELSE 0 END AS is_checkout
     FROM resolved WHERE event IN (${BROWSING_EVENTS.map((name) => literal(name)).join(", ")})`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE product_name AS
     SELECT product, max_by(product_name, {'n': n, 'name': product_name}) AS name FROM (
       SELECT g.product, h.product_name, count(*) * 1000000 + length(h.product_name) AS n
       FROM history h JOIN product_group g USING (source, product_id)
       WHERE g.product IS NOT NULL AND h.event = ${literal(EventName.orderCompleted)} GROUP BY 1, 2
     ) GROUP BY 1`,
  );
}

async function build(
  duckdb: DuckDb,
  request: BuildRequest,
  onCutoff?: (done: number, total: number) => void,
): Promise<number> {
  await duckdb.run("DROP TABLE IF EXISTS built");
  for (const [index, cutoff] of request.cutoffs.entries()) {
    const sql = featureRowsSql(request.service, cutoff, request.spine, request.labels);
    await duckdb.run(
      index === 0 ? `CREATE TEMP TABLE built AS ${sql}` : `INSERT INTO built ${sql}`,
    );
    onCutoff?.(index + 1, request.cutoffs.length);
  }
  const partial = `${request.file}.partial`;
  await duckdb.run(`COPY built TO ${literal(partial)} (FORMAT parquet, COMPRESSION zstd)`);
  const rows = Number((await duckdb.rows("SELECT count(*) AS n FROM built"))[0]?.["n"]);
  await duckdb.run("DROP TABLE built");
  renameSync(partial, request.file);
  return rows;
}
