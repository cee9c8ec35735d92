import { join } from "node:path";
import { type DuckDb, literal } from "../../src/base/index.ts";

/** What is generated: `events` events of about `events / 20` customers. The same seed gives the same rows. */
export interface Shop {
  readonly events: number;
  /** Below 2^18. */
  readonly seed: number;
}

/** The first instant, in epoch seconds; sessions begin within a year from it. */
const START = Date.UTC(2025, 0, 1) / 1000;
/** A slot holds at most one session of a customer, with more than half an hour of silence up to the next. */
const SLOT_SECONDS = 7200;
const SLOTS = (365 * 86_400) / SLOT_SECONDS;
const SESSION_EVENTS_MAX = 40;

/**
 * Writes events.parquet: event_id (from 1, in the order of time), customer_id, session_id, ts (UTC, whole
 * seconds), type (view, search, cart, purchase, email), product_id, category, amount (of purchases, else 0).
 * Few customers and few products make most of them. Sorting spills beyond the session's memory.
 */
export async function writeEvents(duckdb: DuckDb, folder: string, shop: Shop): Promise<string> {
  const file = join(folder, "events.parquet");
  await duckdb.run(
    `COPY (${eventsSql(shop)}) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  return file;
}

/** Copies events.parquet as events.csv. */
export async function writeCsv(duckdb: DuckDb, folder: string): Promise<void> {
  const [from, to] = ["parquet", "csv"].map((ending) => literal(join(folder, `events.${ending}`)));
  await duckdb.run(`COPY (SELECT * FROM read_parquet(${from})) TO ${to} (FORMAT csv, HEADER)`);
}

function eventsSql(shop: Shop): string {
  // One number is hashed, since the hashes of several, put together, depend on each other.
  const draw = (what: number, key: string): string =>
    `CAST(hash(CAST(${key} AS BIGINT) * 16 + ${what} + ${shop.seed * 2 ** 44}) >> 11 AS DOUBLE) / ${2 ** 53}`;
  const ofSession = (what: number): string => draw(what, "id");
  const ofEvent = (what: number): string => draw(what, `(CAST(id AS BIGINT) * 64 + step)`);
  const sessions = Math.ceil(shop.events * 0.29);
  return `WITH drawn AS (
      SELECT CAST(range AS INTEGER) AS id, CAST(floor(${customersOf(shop)} * pow(${draw(0, "range")}, 1.6)) AS INTEGER) AS customer_id,
             CAST(floor(${SLOTS} * ${draw(1, "range")}) AS INTEGER) AS slot
      FROM range(${sessions})),
    session AS (SELECT min(id) AS id, customer_id, slot FROM drawn GROUP BY customer_id, slot),
    begun AS (
      SELECT id, customer_id, ${START} + CAST(slot AS BIGINT) * ${SLOT_SECONDS} + CAST(floor(3600 * ${ofSession(2)}) AS BIGINT) AS begins,
             least(${SESSION_EVENTS_MAX}, 1 + CAST(floor(-3.2 * ln(1 - ${ofSession(3)})) AS INTEGER)) AS size
      FROM session),
    stepped AS (SELECT id, customer_id, begins, unnest(range(size)) AS step FROM begun),
    timed AS (
      SELECT id, customer_id, CAST(step AS TINYINT) AS step, begins + step * 37 + CAST(floor(20 * ${ofEvent(8)}) AS BIGINT) AS moment
      FROM stepped ORDER BY moment, id, step LIMIT ${shop.events}),
    chosen AS (
      SELECT *, row_number() OVER () AS event_id, ${ofEvent(9)} AS kind, CAST(floor(2000 * pow(${ofEvent(10)}, 2)) AS INTEGER) AS product_id
      FROM timed)
    SELECT event_id, customer_id, id AS session_id, CAST(to_timestamp(moment) AS TIMESTAMP) AS ts,
           CASE WHEN kind < 0.62 THEN 'view' WHEN kind < 0.76 THEN 'search' WHEN kind < 0.88 THEN 'cart'
                WHEN kind < 0.95 THEN 'email' ELSE 'purchase' END AS type,
           product_id, CAST(product_id % 40 AS SMALLINT) AS category,
           CAST(CASE WHEN kind >= 0.95 THEN round(5 + product_id % 97 * 1.7, 2) ELSE 0 END AS DOUBLE) AS amount
    FROM chosen`;
}

/** How many a shop has; customers without an event are among them. */
function customersOf(shop: Shop): number {
  return Math.ceil(shop.events / 20);
}
