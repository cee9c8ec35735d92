import { rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { FEATURES, type Measured, peakMiB, readSums, stopwatch } from "./measured.ts";

/**
 * The features by SQLite alone, from the table that load-sqlite.ts made into a table of another file; the
 * loading is not timed.
 *
 *   sqlite.ts FOLDER CUTOFF
 */
const [folder = "", cutoff = ""] = process.argv.slice(2);
const AT = Date.parse(cutoff) / 1000;
const DAY = 86_400;
const out = join(folder, "features-sqlite.sqlite");

const sessions = [1, 7, 30, 90].map(
  (days) =>
    `count(DISTINCT session_id) FILTER (WHERE ts >= ${AT - days * DAY}) AS sessions_${days}`,
);
const variance = "(sum(days * days) - sum(days) * sum(days) / count(days)) / (count(days) - 1)";

const query = `WITH customer AS (
    SELECT customer_id, count(*) AS n_events, max(ts) FILTER (WHERE type = 'purchase') AS bought_at,
           count(*) FILTER (WHERE type = 'purchase') AS frequency, sum(amount) AS monetary,
           count(DISTINCT category) FILTER (WHERE type = 'view') AS n_cat, ${sessions.join(", ")},
           max(ts) FILTER (WHERE type = 'view') AS viewed_at
    FROM event WHERE ts < ${AT} GROUP BY customer_id),
  gap AS (
    SELECT customer_id, (ts - lag(ts) OVER (PARTITION BY customer_id ORDER BY ts, event_id)) / 86400.0 AS days
    FROM event WHERE type = 'purchase' AND ts < ${AT}),
  rhythm AS (
    SELECT customer_id, avg(days) AS ip_mean, CASE WHEN count(days) > 1 THEN sqrt(max(0, ${variance})) END AS ip_std
    FROM gap GROUP BY customer_id),
  product AS (
    SELECT customer_id, max(ts) FILTER (WHERE type = 'cart') AS carted_at, max(ts) FILTER (WHERE type = 'purchase') AS bought_at
    FROM event WHERE type IN ('cart', 'purchase') AND ts < ${AT} GROUP BY customer_id, product_id),
  cart AS (
    SELECT customer_id, count(*) AS open_carts FROM product
    WHERE carted_at > bought_at OR (carted_at IS NOT NULL AND bought_at IS NULL) GROUP BY customer_id)
  SELECT customer_id, n_events, (${AT} - bought_at) / 86400.0 AS recency, frequency, monetary, n_cat,
         sessions_1, sessions_7, sessions_30, sessions_90, ip_mean, ip_std, (${AT} - viewed_at) / 86400.0 AS view_days,
         coalesce(open_carts, 0) AS open_carts
  FROM customer LEFT JOIN rhythm USING (customer_id) LEFT JOIN cart USING (customer_id)`;

rmSync(out, { force: true });
const spent = stopwatch();
const sqlite = new Database(join(folder, "events.sqlite"));
try {
  sqlite.pragma("cache_size = -1048576");
  sqlite.pragma("temp_store = MEMORY");
  sqlite.prepare("ATTACH ? AS made").run(out);
  sqlite.exec("PRAGMA made.journal_mode = OFF; PRAGMA made.synchronous = OFF");
  sqlite.exec(`CREATE TABLE made.feature AS ${query}`);
  const { seconds, cpuSeconds } = spent();
  const peak = peakMiB();
  const sums = FEATURES.map((name) => `coalesce(sum(${name}), 0) AS ${name}`);
  const row = sqlite
    .prepare<[], Record<string, number>>(
      `SELECT count(*) AS n, ${sums.join(", ")} FROM made.feature`,
    )
    .get();
  const measured: Measured = {
    seconds,
    cpuSeconds,
    peakMiB: peak,
    rows: Number(row?.["n"]),
    checksum: readSums(row),
  };
  process.stdout.write(`${JSON.stringify(measured)}\n`);
} finally {
  sqlite.close();
}
