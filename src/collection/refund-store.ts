import { type DuckDb, literal, type SqlRow, type Store } from "../base/index.ts";
import { EventName } from "./event.ts";
import { historySql } from "./history-store.ts";
import type { Mapping } from "./mapping.ts";
import {
  matchRefunds,
  type RefundableLine,
  type RefundPart,
  type RefundRequest,
} from "./refund-matching.ts";

/**
 * Makes `event_line` from `new_line`: the same rows with `line`, and each refund split into the
 * parts that cancel a line, with `refunded_message_id` and `refunded_line`. A refund looks among the
 * lines of its user and product in this file and in the history of its source.
 */
export async function linkRefunds(duckdb: DuckDb, store: Store, mapping: Mapping): Promise<void> {
  await duckdb.run(
    `CREATE TEMP TABLE refund_request AS SELECT * FROM new_line
     WHERE event = ${literal(EventName.orderRefunded)} AND user_id IS NOT NULL AND product_id IS NOT NULL AND quantity > 0`,
  );
  await duckdb.run(
    "CREATE TEMP TABLE refund_part (message_id VARCHAR, line DOUBLE, quantity DOUBLE, of_message_id VARCHAR, of_line DOUBLE)",
  );
  await duckdb.append("refund_part", await matchAll(duckdb, store, mapping));
  await duckdb.run(
    `CREATE TEMP TABLE event_line AS
     SELECT n.* REPLACE (coalesce(p.quantity, n.quantity) AS quantity),
            coalesce(p.line, 0) AS line, p.of_message_id AS refunded_message_id, p.of_line AS refunded_line
     FROM new_line n LEFT JOIN refund_part p USING (message_id)`,
  );
}

const CANDIDATE_COLUMNS = [
  "user",
  "product",
  "messageId",
  "line",
  "orderId",
  "occurredAt",
  "quantity",
  "event",
  "ofId",
  "ofLine",
] as const;

async function matchAll(
  duckdb: DuckDb,
  store: Store,
  mapping: Mapping,
): Promise<(readonly [string, number, number, string | null, number | null])[]> {
  const candidates = `
    SELECT message_id, 0 AS line, user_id, product_id, order_id, occurred_at_ms, quantity, event, NULL AS of_id, NULL AS of_line FROM new_line
    UNION ALL
    SELECT message_id, line, user_id, product_id, order_id, occurred_at_ms, quantity, event, refunded_message_id, refunded_line
    FROM ${historySql(store)} WHERE source = ${literal(mapping.source)}`;
  const rows = duckdb.chunks(
    `SELECT c.user_id, c.product_id, c.message_id, c.line, c.order_id, c.occurred_at_ms, c.quantity, c.event, c.of_id, c.of_line
     FROM (${candidates}) c
     WHERE c.event IN (${literal(EventName.orderCompleted)}, ${literal(EventName.orderRefunded)}) AND c.quantity > 0
       AND EXISTS (SELECT 1 FROM refund_request r WHERE r.user_id = c.user_id AND r.product_id = c.product_id)
     ORDER BY 1, 2, c.occurred_at_ms, c.message_id, c.line`,
  );
  const parts: RefundPart[] = [];
  let group: SqlRow[] = [];
  const finish = (): void => {
    parts.push(...matchGroup(group, mapping.refunds));
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
        (first["user"] !== row["user"] || first["product"] !== row["product"])
      ) {
        finish();
      }
      group.push(row);
    }
  }
  finish();
  return parts.map((part) => [
    part.messageId,
    part.line,
    part.quantity,
    part.of?.messageId ?? null,
    part.of?.line ?? null,
  ]);
}

/** Refunds already in the history keep what they cancelled; only new ones are matched. */
function matchGroup(group: readonly SqlRow[], rule: Mapping["refunds"]): RefundPart[] {
  const lines: RefundableLine[] = [];
  const refunds: RefundRequest[] = [];
  for (const row of group) {
    const messageId = String(row["messageId"]);
    const orderId =
      row["orderId"] === null || row["orderId"] === undefined ? null : String(row["orderId"]);
    const occurredAt = Number(row["occurredAt"]);
    const quantity = Number(row["quantity"]);
    if (row["event"] === EventName.orderCompleted) {
      lines.push({
        messageId,
        line: Number(row["line"]),
        orderId,
        occurredAt,
        remaining: quantity,
      });
    } else if (row["ofId"] === null) {
      refunds.push({ messageId, orderId, occurredAt, quantity });
    }
  }
  for (const row of group) {
    const refunded = lines.find(
      (line) => line.messageId === row["ofId"] && line.line === row["ofLine"],
    );
    if (refunded !== undefined) {
      refunded.remaining -= Number(row["quantity"]);
    }
  }
  return matchRefunds(lines, refunds, rule);
}
