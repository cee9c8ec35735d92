import { type DuckDb, literal, type SqlRow, type Store } from "../base/index.ts";
import { EventName, REFUND_EVENTS } from "./event-names.ts";
import { historySql } from "./history-store.ts";
import type { Mapping } from "./mapping.ts";
import {
  matchRefunds,
  type RefundableLine,
  type RefundPart,
  type RefundRequest,
} from "./refund-matching.ts";

/** How refunds of each source find what they refund. */
export type RefundRules = ReadonlyMap<string, Mapping["refunds"]>;

const REFUNDS = `(${REFUND_EVENTS.map((name) => literal(name)).join(", ")})`;
const IS_REFUND = `coalesce(event, '') IN ${REFUNDS}`;

/**
 * Makes `event_line` from `new_line`: the same rows, each refund split into the parts that cancel a
 * line, with `refunded_message_id` and `refunded_line`. A refund looks among the lines of its person
 * and product here and in the history of its source. One that names an order and no product takes
 * back what is left of all the order's lines.
 */
export async function linkRefunds(duckdb: DuckDb, store: Store, rules: RefundRules): Promise<void> {
  await duckdb.run(
    `CREATE TEMP TABLE refund AS
     SELECT row_number() OVER (ORDER BY source, message_id, line) AS request, * REPLACE (abs(quantity) AS quantity),
            coalesce(user_id, anonymous_id) AS person
     FROM new_line WHERE ${IS_REFUND}`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE refund_part (request DOUBLE, part DOUBLE, quantity DOUBLE, of_message_id VARCHAR, of_line DOUBLE,
       is_whole BOOLEAN, product_id VARCHAR)`,
  );
  const sources = await duckdb.rows("SELECT DISTINCT source FROM refund");
  if (sources.length > 0) {
    await prepareMatching(
      duckdb,
      store,
      sources.map((row) => String(row["source"])),
    );
    await duckdb.append("refund_part", await matchAll(duckdb, rules));
  }
  await duckdb.run(
    `CREATE TEMP TABLE event_line AS
     SELECT *, CAST(NULL AS VARCHAR) AS refunded_message_id, CAST(NULL AS DOUBLE) AS refunded_line
     FROM new_line WHERE NOT ${IS_REFUND}
     UNION ALL BY NAME
     SELECT r.* EXCLUDE (request, person) REPLACE (
              coalesce(p.quantity, r.quantity) AS quantity,
              CASE WHEN p.is_whole THEN p.product_id ELSE r.product_id END AS product_id,
              row_number() OVER (PARTITION BY r.source, r.message_id ORDER BY r.line, p.product_id, p.part, p.of_message_id, p.of_line) - 1 AS line),
            p.of_message_id AS refunded_message_id, p.of_line AS refunded_line
     FROM refund r LEFT JOIN refund_part p USING (request)`,
  );
}

/** Makes `order_line`, with what is left of each, and `refund_request`, one per product. */
async function prepareMatching(
  duckdb: DuckDb,
  store: Store,
  sources: readonly string[],
): Promise<void> {
  const columns =
    "source, message_id, line, event, user_id, anonymous_id, order_id, product_id, occurred_at_ms, quantity";
  await duckdb.run(
    `CREATE TEMP TABLE earlier AS
     SELECT ${columns}, refunded_message_id, refunded_line FROM ${historySql(store)}
     WHERE source IN (${sources.map((source) => literal(source)).join(", ")})
       AND (event = ${literal(EventName.orderCompleted)} OR ${IS_REFUND} AND refunded_message_id IS NOT NULL)`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE order_line AS
     SELECT o.*, coalesce(o.user_id, o.anonymous_id) AS person, coalesce(o.product_id, '') AS product,
            coalesce(o.quantity, 1) - coalesce(r.quantity, 0) AS remaining
     FROM (SELECT ${columns} FROM new_line UNION ALL SELECT ${columns} FROM earlier) o
     LEFT JOIN (
       SELECT source, refunded_message_id, refunded_line, sum(quantity) AS quantity
       FROM earlier WHERE refunded_message_id IS NOT NULL GROUP BY ALL
     ) r ON r.source = o.source AND r.refunded_message_id = o.message_id AND r.refunded_line = o.line
     WHERE o.event = ${literal(EventName.orderCompleted)} AND coalesce(o.quantity, 1) > 0`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE refund_request AS
     SELECT request, source, message_id, order_id, person, product_id AS product, occurred_at_ms, coalesce(quantity, 1) AS quantity, false AS is_whole
     FROM refund WHERE product_id IS NOT NULL AND person IS NOT NULL AND coalesce(quantity, 1) > 0
     UNION ALL
     SELECT r.request, r.source, r.message_id, r.order_id, o.person, o.product, r.occurred_at_ms, sum(coalesce(o.quantity, 1)), true
     FROM refund r JOIN order_line o ON o.source = r.source AND o.order_id = r.order_id AND o.occurred_at_ms <= r.occurred_at_ms
     WHERE r.product_id IS NULL AND o.person IS NOT NULL
     GROUP BY ALL`,
  );
}

const CANDIDATE_COLUMNS = [
  "source",
  "person",
  "product",
  "messageId",
  "line",
  "orderId",
  "occurredAt",
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
async function matchAll(duckdb: DuckDb, rules: RefundRules): Promise<PartRow[]> {
  const rows = duckdb.chunks(
    `SELECT * FROM (
       SELECT source, person, product, message_id, line, order_id, occurred_at_ms, remaining, NULL AS request, NULL AS is_whole
       FROM order_line o
       WHERE EXISTS (SELECT 1 FROM refund_request r WHERE r.source = o.source AND r.person = o.person AND r.product = o.product)
       UNION ALL
       SELECT source, person, product, message_id, NULL, order_id, occurred_at_ms, quantity, request, is_whole FROM refund_request
     ) ORDER BY source, person, product, occurred_at_ms, message_id, line`,
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

function matchGroup(group: readonly SqlRow[], rule: Mapping["refunds"]): RefundPart[] {
  const lines: RefundableLine[] = [];
  const refunds: RefundRequest[] = [];
  for (const row of group) {
    const messageId = String(row["messageId"]);
    const orderId = row["orderId"] === null ? null : String(row["orderId"]);
    const occurredAt = Number(row["occurredAt"]);
    const quantity = Number(row["quantity"]);
    if (row["request"] === null) {
      const line = Number(row["line"]);
      lines.push({ messageId, line, orderId, occurredAt, remaining: quantity });
    } else {
      const request = Number(row["request"]);
      const isWhole = row["isWhole"] === true;
      refunds.push({ messageId, request, isWhole, orderId, occurredAt, quantity });
    }
  }
  return matchRefunds(lines, refunds, rule);
}
