/**
 * The query of `customer_id`s of whom, at one of these cutoffs (epoch ms), something had happened that was not known
 * yet, or of whose orders something was taken back between two of them. Of everybody else, what is known before a
 * cutoff is what happened before it, and a purchase stays what it was.
 */
export function lateCustomersSql(cutoffs: readonly number[]): string {
  const between = (earlier: string, later: string): string =>
    cutoffs.map((cutoff) => `(${earlier} < ${cutoff} AND ${later} >= ${cutoff})`).join(" OR ");
  const since = "greatest(occurred_at_ms, known_at_ms)";
  return `SELECT customer_id FROM fact WHERE known_at_ms > occurred_at_ms
    GROUP BY customer_id HAVING bool_or(${between("occurred_at_ms", "known_at_ms")})
    UNION SELECT o.customer_id FROM fact o JOIN (
      SELECT line_key FROM fact WHERE kind IN ('order', 'refund') AND line_key IS NOT NULL GROUP BY line_key
      HAVING ${between(`min(${since})`, `max(${since})`)}
    ) taken ON taken.line_key = o.line_key WHERE o.kind = 'order'`;
}
