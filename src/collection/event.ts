/**
 * The history's one table: a row per event line. An event without lines has one row with line 0; an
 * order has a row per product. The same schema in every file, so that DuckDB, Spark and pandas read
 * the folder as one table.
 *
 * Names of events are those of the Segment e-commerce spec v2; others are kept as they came.
 */
export const HISTORY_COLUMNS = [
  ["source", "VARCHAR"],
  ["message_id", "VARCHAR"],
  ["line", "INTEGER"],
  ["event", "VARCHAR"],
  ["occurred_at_ms", "BIGINT"],
  ["known_at_ms", "BIGINT"],
  ["user_id", "VARCHAR"],
  ["anonymous_id", "VARCHAR"],
  ["order_id", "VARCHAR"],
  ["product_id", "VARCHAR"],
  ["product_name", "VARCHAR"],
  ["quantity", "DOUBLE"],
  ["price", "DOUBLE"],
  ["currency", "VARCHAR"],
  ["refunded_message_id", "VARCHAR"],
  ["refunded_line", "INTEGER"],
  ["properties", "VARCHAR"],
] as const;

/** Event names with a meaning of their own here. */
export const EventName = {
  orderCompleted: "Order Completed",
  orderRefunded: "Order Refunded",
} as const;

/** `events` as a table of the given rows, for an empty history. */
export function emptyHistorySql(): string {
  const columns = HISTORY_COLUMNS.map(([name, type]) => `CAST(NULL AS ${type}) AS ${name}`);
  return `(SELECT ${columns.join(", ")} WHERE 1 = 0)`;
}
