import { join } from "node:path";
import { literal, openDuckDb } from "../../src/base/index.ts";
import { checksumOf, type Measured, peakMiB, stopwatch } from "./measured.ts";

/**
 * The query that somebody who knows DuckDB writes by hand for these features, over flat Parquet into
 * Parquet. Prints seconds from opening the session on, and the process's peak memory.
 *
 *   hand-duckdb.ts FOLDER CUTOFF [MEMORY_MIB]
 */
const [folder = "", cutoff = "", memory = "8192"] = process.argv.slice(2);
const AT = `TIMESTAMP ${literal(cutoff.replace("T", " ").replace("Z", ""))}`;
const out = join(folder, "features-hand-duckdb.parquet");

const sessions = [1, 7, 30, 90].map(
  (days) =>
    `count(DISTINCT session_id) FILTER (ts >= ${AT} - INTERVAL ${days} DAY) AS sessions_${days}`,
);
const days = (from: string): string => `epoch(${AT} - ${from}) / 86400.0`;

const query = `WITH seen AS (SELECT * FROM read_parquet(${literal(join(folder, "events.parquet"))}) WHERE ts < ${AT}),
  customer AS (
    SELECT customer_id, count(*) AS n_events, max(ts) FILTER (type = 'purchase') AS bought_at,
           count(*) FILTER (type = 'purchase') AS frequency, sum(amount) AS monetary,
           count(DISTINCT category) FILTER (type = 'view') AS n_cat, ${sessions.join(", ")},
           max(ts) FILTER (type = 'view') AS viewed_at
    FROM seen GROUP BY customer_id),
  gap AS (
    SELECT customer_id, epoch(ts - lag(ts) OVER (PARTITION BY customer_id ORDER BY ts, event_id)) / 86400.0 AS days
    FROM seen WHERE type = 'purchase'),
  rhythm AS (SELECT customer_id, avg(days) AS ip_mean, stddev_samp(days) AS ip_std FROM gap GROUP BY customer_id),
  product AS (
    SELECT customer_id, max(ts) FILTER (type = 'cart') AS carted_at, max(ts) FILTER (type = 'purchase') AS bought_at
    FROM seen WHERE type IN ('cart', 'purchase') GROUP BY customer_id, product_id),
  cart AS (
    SELECT customer_id, count(*) AS open_carts FROM product
    WHERE carted_at > bought_at OR (carted_at IS NOT NULL AND bought_at IS NULL) GROUP BY customer_id)
  SELECT customer_id, n_events, ${days("bought_at")} AS recency, frequency, monetary, n_cat,
         sessions_1, sessions_7, sessions_30, sessions_90, ip_mean, ip_std, ${days("viewed_at")} AS view_days,
         coalesce(open_carts, 0) AS open_carts
  FROM customer LEFT JOIN rhythm USING (customer_id) LEFT JOIN cart USING (customer_id)`;

const spent = stopwatch();
const duckdb = await openDuckDb({ temporaryFolder: folder, memoryLimitMiB: Number(memory) });
try {
  await duckdb.run(`COPY (${query}) TO ${literal(out)} (FORMAT parquet)`);
  const { seconds, cpuSeconds } = spent();
  const measured: Measured = {
    seconds,
    cpuSeconds,
    peakMiB: peakMiB(),
    ...(await checksumOf(duckdb, out)),
  };
  process.stdout.write(`${JSON.stringify(measured)}\n`);
} finally {
  duckdb.close();
}
