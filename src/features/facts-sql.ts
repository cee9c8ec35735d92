import { resolvedLinesSql } from "../customers/index.ts";
import type { Dialect } from "./dialect.ts";
import { ANY_PRODUCT, KIND_OF_EVENT, SCALE } from "./fact.ts";

const IS_BOUGHT =
  "(k.kind <> 'order' OR ((h.quantity IS NULL OR h.quantity > 0) AND (h.price IS NULL OR h.price > 0)))";
const HAS_PRODUCT =
  "(k.kind NOT IN ('order', 'refund') OR h.product_id IS NULL OR g.product IS NOT NULL)";

/** The columns of the linked history that facts are made of, and by which lines find their customer. */
const LINE_COLUMNS = [
  "source",
  "message_id",
  "line",
  "event",
  "occurred_at_ms",
  "product_id",
  "quantity",
  "price",
  "channel",
  "campaign",
  "category",
  "device",
  "refunded_message_id",
  "refunded_line",
];

/** The query of all facts over the tables history, identity, event_kind, product_group and taken_line. */
export function factSql(dialect: Dialect): string {
  const form =
    dialect.name === "duckdb"
      ? undefined
      : {
          columns: LINE_COLUMNS,
          jsonText: (sql: string, path: string) => dialect.jsonText(sql, path),
        };
  return `
  SELECT h.customer_id, k.kind, h.event, h.occurred_at_ms, h.known_at_ms,
         CASE WHEN h.product_id IS NOT NULL AND g.product IS NOT NULL AND g.is_category THEN coalesce(h.category, g.product)
              WHEN h.product_id IS NOT NULL THEN g.product WHEN k.kind IN ('order', 'refund') THEN ${dialect.text(ANY_PRODUCT)} END AS product,
         h.category, h.channel, h.campaign, h.device,
         CASE WHEN k.kind IN ('order', 'refund') THEN CAST(round(coalesce(h.quantity, 1) * ${SCALE}) AS BIGINT) END AS quantity,
         CASE WHEN k.kind = 'order' THEN coalesce(h.price, 0) WHEN k.kind = 'browse' THEN h.price END AS price,
         t.line_key
  FROM (${resolvedLinesSql("history", "identity", form)}) h
  JOIN event_kind k ON k.event = h.event
  LEFT JOIN product_group g ON g.source = h.source AND g.product_id = h.product_id
  LEFT JOIN taken_line t ON t.source = h.source AND t.message_id = coalesce(h.refunded_message_id, h.message_id)
    AND t.line = coalesce(h.refunded_line, h.line)
  WHERE ${IS_BOUGHT} AND ${HAS_PRODUCT}`;
}

/** The query of event_kind: which kind of fact an event is. */
export function eventKindSql(dialect: Dialect): string {
  const rows = [...KIND_OF_EVENT].map(
    ([event, kind]) => `(${dialect.text(event)}, ${dialect.text(kind)})`,
  );
  return `SELECT * FROM (VALUES ${rows.join(", ")}) AS kinds (event, kind)`;
}
