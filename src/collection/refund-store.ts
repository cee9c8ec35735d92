import { type DuckDb, literal, type SqlRow, type Store, shareOutput } from "../base/index.ts";
import { HISTORY_COLUMNS } from "./event.ts";
import { EventName } from "./event-names.ts";
import { historySql, sourceMappings } from "./history-store.ts";
import { personSql } from "./line-person.ts";
import { parseMapping } from "./mapping.ts";
import {
  matchRefunds,
  type RefundableLine,
  type RefundPart,
  type RefundRequest,
  type RefundRule,
} from "./refund-matching.ts";
import { IS_REFUND } from "./refund-sql.ts";

/**
 * Makes the session's view `history`: every row of the history, each refund split into the parts that
 * cancel a line, with that line as `refunded_message_id` and `refunded_line` (NULL where none was
 * found) and `line` numbered anew. A refund looks among the lines of its person and product in its
 * source; one that names an order and no product takes back what is left of all the order's lines.
 * The same events give the same links whatever file brought them, and in whatever order; what was
 * known before an instant is linked as if nothing had come later (matchRefunds).
 */
export async function createLinkedHistory(duckdb: DuckDb, store: Store): Promise<void> {
  const columns = HISTORY_COLUMNS.map(([name]) => name).join(", ");
  await duckdb.run(`CREATE TEMP VIEW history_line AS SELECT ${columns} FROM ${historySql(store)}`);
  await duckdb.run(
    `CREATE TEMP TABLE refund AS
     SELECT row_number() OVER (ORDER BY source, message_id, line) AS request, * REPLACE (abs(quantity) AS quantity),
            ${personSql()} AS person
     FROM history_line WHERE ${IS_REFUND}`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE refund_part (request DOUBLE, part DOUBLE, quantity DOUBLE, of_message_id VARCHAR, of_line DOUBLE,
       is_whole BOOLEAN, product_id VARCHAR)`,
  );
  await createRequests(duckdb);
  await duckdb.append("refund_part", await matchAll(duckdb, refundRules(store)));
  await duckdb.run(
    `CREATE TEMP TABLE linked_refund AS
     SELECT r.* EXCLUDE (request, person) REPLACE (
              coalesce(p.quantity, r.quantity) AS quantity,
              CASE WHEN p.is_whole THEN p.product_id ELSE r.product_id END AS product_id,
              CAST(row_number() OVER (PARTITION BY r.source, r.message_id ORDER BY r.line, p.product_id, p.part, p.of_message_id, p.of_line) - 1 AS INTEGER) AS line),
            p.of_message_id AS refunded_message_id, CAST(p.of_line AS INTEGER) AS refunded_line
     FROM refund r LEFT JOIN refund_part p USING (request)`,
  );
  await duckdb.run("DROP TABLE refund");
  await duckdb.run("DROP TABLE refund_part");
  await duckdb.run("DROP TABLE refund_request");
  await duckdb.run("DROP TABLE order_total");
  await duckdb.run(
    `CREATE TEMP VIEW history AS
     SELECT * FROM history_line WHERE NOT ${IS_REFUND} UNION ALL BY NAME SELECT * FROM linked_refund`,
  );
}

/**
 * Writes every refund of the history as Parquet, split and linked as in `createLinkedHistory`, and
 * returns the number of rows: for those who read the history without Herkoop.
 */
export async function exportRefunds(store: Store, file: string): Promise<number> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 700 });
  try {
    await createLinkedHistory(duckdb, store);
    await duckdb.run(
      `COPY (SELECT * FROM linked_refund ORDER BY occurred_at_ms, source, message_id, line)
       TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    shareOutput(store.folder, file);
    return Number((await duckdb.rows("SELECT count(*) AS n FROM linked_refund"))[0]?.["n"]);
  } finally {
    duckdb.close();
  }
}

/** How refunds of each source find what they refund, as its latest mapping says. */
export function refundRules(store: Store): ReadonlyMap<string, RefundRule> {
  return new Map(
    [...sourceMappings(store)].map(([source, json]) => [
      source,
      parseMapping(JSON.parse(json)).refunds,
    ]),
  );
}

/**
 * Makes `refund_request`, one per product: as the refund says, or of each line of its order. A refund that
 * names an amount and no product takes back the order where it is all of it, and no line where it is less.
 */
async function createRequests(duckdb: DuckDb): Promise<void> {
  await duckdb.run(
    `CREATE TEMP TABLE order_total AS
     SELECT o.source, o.order_id, sum(coalesce(o.quantity, 1) * coalesce(o.price, 0)) AS amount FROM history_line o
     WHERE ${IS_BOUGHT} AND o.order_id IN (SELECT order_id FROM refund WHERE product_id IS NULL) GROUP BY ALL`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE refund_request AS
     SELECT request, source, message_id, order_id, person, product_id AS product, occurred_at_ms, known_at_ms,
            coalesce(quantity, 1) AS quantity, false AS is_whole
     FROM refund WHERE product_id IS NOT NULL AND person IS NOT NULL AND coalesce(quantity, 1) > 0
     UNION ALL
     SELECT DISTINCT r.request, r.source, r.message_id, r.order_id, ${personSql("o.")}, coalesce(o.product_id, ''),
            r.occurred_at_ms, r.known_at_ms, 0, true
     FROM refund r JOIN history_line o ON o.source = r.source AND o.order_id = r.order_id
     JOIN order_total t ON t.source = r.source AND t.order_id = r.order_id
     WHERE r.product_id IS NULL AND (r.price IS NULL OR r.price >= t.amount - 0.005) AND (NOT coalesce(r.is_claim, false) OR r.person = ${personSql("o.")}) AND ${IS_BOUGHT} AND ${personSql("o.")} IS NOT NULL`,
  );
}

const IS_BOUGHT = `o.event = ${literal(EventName.orderCompleted)} AND coalesce(o.quantity, 1) > 0`;

const CANDIDATE_COLUMNS = [
  "source",
  "person",
  "product",
  "messageId",
  "line",
  "orderId",
  "occurredAt",
  "knownAt",
  "quantity",
  "request",
  "isWhole",
] as const;

type PartRow = readonly [
  number,
  number,
  number,
  string | null,
  number | null,
  boolean,
  string | null,
];

/** Lines and requests, sorted by source, person and product, matched group by group. */
async function matchAll(
  duckdb: DuckDb,
  rules: ReadonlyMap<string, RefundRule>,
): Promise<PartRow[]> {
  const rows = duckdb.chunks(
    `SELECT * FROM (
       SELECT o.source, ${personSql("o.")} AS person, coalesce(o.product_id, '') AS product, o.message_id, o.line, o.order_id,
              o.occurred_at_ms, o.known_at_ms, coalesce(o.quantity, 1), NULL AS request, NULL AS is_whole
       FROM history_line o
       SEMI JOIN refund_request r ON r.source = o.source AND r.person = ${personSql("o.")} AND r.product = coalesce(o.product_id, '')
       WHERE ${IS_BOUGHT}
       UNION ALL
       SELECT source, person, product, message_id, NULL, order_id, occurred_at_ms, known_at_ms, quantity, request, is_whole FROM refund_request
     ) ORDER BY source, person, product`,
  );
  const parts: PartRow[] = [];
  let group: SqlRow[] = [];
  const finish = (): void => {
    const product = String(group[0]?.["product"] ?? "");
    const rule = rules.get(String(group[0]?.["source"])) ?? "latest-purchase";
    for (const part of matchGroup(group, rule)) {
      parts.push(rowOf(part, product));
    }
    group = [];
  };
  for await (const columns of rows) {
    for (let index = 0; index < (columns[0]?.length ?? 0); index++) {
      const row = Object.fromEntries(
        CANDIDATE_COLUMNS.map((name, column) => [name, columns[column]?.[index] ?? null]),
      );
      const first = group[0];
      if (
        first !== undefined &&
        (["source", "person", "product"] as const).some((name) => first[name] !== row[name])
      ) {
        finish();
      }
      group.push(row);
    }
  }
  finish();
  return parts;
}

function rowOf({ request, line, quantity, of, isWhole }: RefundPart, product: string): PartRow {
  const productId = product === "" ? null : product;
  return [request, line, quantity, of?.messageId ?? null, of?.line ?? null, isWhole, productId];
}

function matchGroup(group: readonly SqlRow[], rule: RefundRule): RefundPart[] {
  const lines: RefundableLine[] = [];
  const refunds: RefundRequest[] = [];
  for (const row of group) {
    const of = {
      messageId: String(row["messageId"]),
      orderId: row["orderId"] === null ? null : String(row["orderId"]),
      occurredAt: Number(row["occurredAt"]),
      knownAt: Number(row["knownAt"]),
    };
    const quantity = Number(row["quantity"]);
    if (row["request"] === null) {
      lines.push({ ...of, line: Number(row["line"]), remaining: quantity });
    } else {
      const request = Number(row["request"]);
      refunds.push({ ...of, request, isWhole: row["isWhole"] === true, quantity });
    }
  }
  return matchRefunds(lines, refunds, rule);
}
