import { COMPARISONS, type Comparison } from "./comparisons.ts";
import { levelWeight, type Parameters, sharesOf } from "./parameters.ts";

/** Sums are taken in whole units of this share of a pair, so that they are the same in any order. */
const UNITS_PER_PAIR = 1e6;

/** Makes the table `name` of the different level patterns among the pairs of a table, with their count. */
export function patternsSql(name: string, pairs: string, condition = "true"): string {
  const columns = COMPARISONS.map((one) => one.name).join(", ");
  return `CREATE OR REPLACE TEMP TABLE ${name} AS
    SELECT ${columns}, count(*) AS pairs FROM ${pairs} WHERE ${condition} GROUP BY ALL ORDER BY ALL`;
}

/** The weight of a comparison's level without regard to how frequent the value is, in bits. */
export function levelWeightSql(comparison: Comparison, parameters: Parameters, table = ""): string {
  const shares = sharesOf(parameters, comparison);
  const cases = shares.m.map(
    (_, level) => `WHEN ${level} THEN ${levelWeight(shares, level)}::DOUBLE`,
  );
  return `CASE ${table}${comparison.name} ${cases.join(" ")} ELSE 0::DOUBLE END`;
}

function sum(terms: readonly string[]): string {
  return terms.length === 0 ? "0::DOUBLE" : terms.join(" + ");
}

/**
 * The expectation and the counts of the maximisation step (Dempster, Laird & Rubin 1977; Fellegi & Sunter
 * 1969) over a table of patterns: rows of comparison, level, the expected matches, and the expected
 * non-matches at that level (strangers only, for what households share). Rows "match", "household" and "pairs" have the expected counts of these classes and the count of all.
 * `uses` are the comparisons that the expectation goes by.
 */
export function expectationSql(
  patterns: string,
  parameters: Parameters,
  uses: readonly Comparison[] = COMPARISONS,
): string {
  const weights = (of: readonly Comparison[]): string =>
    sum(of.map((one) => levelWeightSql(one, parameters)));
  const { prior, household } = parameters;
  const whole = (share: string): string =>
    `CAST(sum(CAST(round(${share} * pairs * ${UNITS_PER_PAIR}) AS HUGEINT)) AS DOUBLE) / ${UNITS_PER_PAIR}`;
  const perLevel = COMPARISONS.map(
    ({ name, isShared }) =>
      `SELECT '${name}' AS comparison, ${name} AS level, ${whole("match")} AS matches, ${whole(isShared ? "other" : "(1 - match)")} AS others FROM expected WHERE ${name} >= 0 GROUP BY ${name}`,
  );
  return `WITH weighed AS (
      SELECT *, ${prior} * pow(2::DOUBLE, ${weights(uses)}) AS as_match,
             ${(1 - prior) * household} * pow(2::DOUBLE, ${weights(uses.filter((one) => one.isShared))}) AS as_household
      FROM ${patterns}),
    expected AS MATERIALIZED (
      SELECT *, as_match / (as_match + as_household + ${1 - prior}) AS match,
             as_household / (as_match + as_household + ${1 - prior}) AS household,
             ${1 - prior} / (as_match + as_household + ${1 - prior}) AS other
      FROM weighed)
    SELECT 'match' AS comparison, 0 AS level, coalesce(${whole("match")}, 0) AS matches, 0 AS others FROM expected
    UNION ALL SELECT 'pairs', 0, coalesce(sum(pairs), 0), 0 FROM expected
    UNION ALL SELECT 'household', 0, coalesce(${whole("household")}, 0), 0 FROM expected
    UNION ALL ${perLevel.join("\nUNION ALL ")}`;
}
