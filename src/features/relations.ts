import { DAY_MS } from "../base/index.ts";

/**
 * The relations that feature views aggregate, as common table expressions at a cutoff. They start
 * from `order_line`, `refund_line` and `browse_event` (prepared once per build, see
 * offline-store.ts) and keep what had happened AND was known before the cutoff; a purchase counts
 * with what is left of it after the refunds known by then. Days are whole UTC days since 1970.
 *
 * The SQL keeps to what DuckDB and Spark SQL both say: no FILTER, no QUALIFY, sums of exact types.
 */
export function relationsSql(cutoff: number): string {
  const before = `occurred_at_ms < ${cutoff} AND known_at_ms < ${cutoff}`;
  return `
  refunded AS (
    SELECT line_key, sum(quantity) AS quantity FROM refund_line WHERE ${before} AND line_key IS NOT NULL GROUP BY line_key),
  net_line AS (
    SELECT o.customer_id, o.product, o.occurred_at_ms, CAST(floor(o.occurred_at_ms / ${DAY_MS}) AS INTEGER) AS day,
           o.quantity - coalesce(r.quantity, 0) AS quantity,
           CAST((o.quantity - coalesce(r.quantity, 0)) * o.price AS DECIMAL(38, 4)) AS amount
    FROM order_line o LEFT JOIN refunded r ON r.line_key = o.line_key
    WHERE ${before.replaceAll(/(occurred|known)_/g, "o.$1_")} AND o.quantity - coalesce(r.quantity, 0) > 1e-9),
  pair_day AS (
    SELECT customer_id, product, day, sum(quantity) AS quantity, sum(amount) AS amount,
           min(occurred_at_ms) AS first_at, max(occurred_at_ms) AS last_at
    FROM net_line GROUP BY customer_id, product, day),
  pair_gap AS (
    SELECT * FROM (
      SELECT customer_id, product, day, day - lag(day) OVER (PARTITION BY customer_id, product ORDER BY day) AS gap_days
      FROM pair_day) WHERE gap_days IS NOT NULL),
  pair AS (
    SELECT customer_id, product, count(*) AS day_count FROM pair_day GROUP BY customer_id, product),
  customer_day AS (
    SELECT customer_id, day, count(*) AS product_count, sum(amount) AS amount,
           min(first_at) AS first_at, max(last_at) AS last_at,
           row_number() OVER (PARTITION BY customer_id ORDER BY day) AS order_number,
           count(*) OVER (PARTITION BY customer_id) AS customer_order_count
    FROM pair_day GROUP BY customer_id, day),
  customer_gap AS (
    SELECT * FROM (
      SELECT customer_id, day, day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap_days
      FROM customer_day) WHERE gap_days IS NOT NULL),
  pair_order AS (
    SELECT p.customer_id, p.product, c.order_number, c.customer_order_count
    FROM pair_day p JOIN customer_day c ON c.customer_id = p.customer_id AND c.day = p.day),
  customer_refund AS (
    SELECT customer_id, CAST(floor(occurred_at_ms / ${DAY_MS}) AS INTEGER) AS day, max(occurred_at_ms) AS last_at
    FROM refund_line WHERE ${before} GROUP BY customer_id, CAST(floor(occurred_at_ms / ${DAY_MS}) AS INTEGER)),
  browsing AS (
    SELECT customer_id, occurred_at_ms, CAST(floor(occurred_at_ms / ${DAY_MS}) AS INTEGER) AS day, is_cart, is_checkout
    FROM browse_event WHERE ${before})`;
}
