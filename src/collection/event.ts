/**
 * The history's one table: a row per event line. An event without lines has one row with line 0; an
 * order has a row per product. The same schema in every file, so that DuckDB, Spark and pandas read
 * the folder as one table.
 *
 * Names of events are those of the Segment e-commerce spec v2; others are kept as they came.
 *
 * A refund's row is kept as it came, its quantity above zero; which lines it cancels is found when the
 * history is read (refund-store.ts), since what it cancels may come later.
 *
 * `channel` is where it happened (CHANNELS), `campaign` what it answered or was part of, `cost` what an
 * impression or click cost, in `currency`. `identifiers` is a JSON list of [type, value], normalised, the
 * strongest first, of everything the event names besides user id and anonymous id; `traits` a JSON object
 * of what it says of the person; `consent` one of purpose to true or false, with `jurisdiction` beside
 * them. `is_claim` marks what came with a public key, which anybody could have sent: it joins nobody.
 * `category` is the product's, as the event says it; `device` is desktop, mobile, tablet or NULL. Files of
 * before a column existed lack it.
 */
export const HISTORY_COLUMNS = [
  ["source", "VARCHAR"],
  ["message_id", "VARCHAR"],
  ["line", "INTEGER"],
  ["type", "VARCHAR"],
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
  ["properties", "VARCHAR"],
  ["channel", "VARCHAR"],
  ["campaign", "VARCHAR"],
  ["cost", "DOUBLE"],
  ["identifiers", "VARCHAR"],
  ["traits", "VARCHAR"],
  ["consent", "VARCHAR"],
  ["is_claim", "BOOLEAN"],
  ["category", "VARCHAR"],
  ["device", "VARCHAR"],
] as const;

/** Where an event happened. */
export const CHANNELS = ["web", "app", "store", "email", "chat", "call", "ad", "crm"] as const;
export type Channel = (typeof CHANNELS)[number];

/** What a person can agree to: our own purposes, and the two that ad platforms ask for by name. */
export const PURPOSES = [
  "advertising",
  "personalisation",
  "analytics",
  "ad_user_data",
  "ad_personalization",
] as const;
export type Purpose = (typeof PURPOSES)[number];

/** The calls of the Segment spec; a row of a file is a `track`. */
export const EVENT_TYPES = ["track", "identify", "page", "screen", "group", "alias"] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** `events` as a table of the given rows, for an empty history. */
export function emptyHistorySql(): string {
  const columns = HISTORY_COLUMNS.map(([name, type]) => `CAST(NULL AS ${type}) AS ${name}`);
  return `(SELECT ${columns.join(", ")} WHERE 1 = 0)`;
}
