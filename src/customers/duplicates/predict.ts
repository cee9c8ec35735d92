import { COMPARISONS, type Comparison, levelNumber } from "./comparisons.ts";
import { levelWeightSql } from "./estimate.ts";
import { type Parameters, sharesOf } from "./parameters.ts";

/** Pairs below this weight, before frequencies are looked at, are dropped: they are not going to match. */
const DROPPED_BELOW_BITS = -20;

/** The weight of there being a match at all, before the two records are looked at, in bits. */
export function priorWeight({ prior }: Parameters): number {
  return Math.log2(prior / (1 - prior));
}

const frequencyColumns = [
  ...new Set(COMPARISONS.flatMap((one) => one.levels.flatMap(({ frequency }) => frequency ?? []))),
].sort();

function total(of: readonly Comparison[]): string {
  return of.map((one) => `${one.name}_weight`).join(" + ");
}

function householdSql(parameters: Parameters): string {
  const shared = total(COMPARISONS.filter((one) => one.isShared));
  return `-log2(1 + ${parameters.household}::DOUBLE * pow(2::DOUBLE, ${shared}))`;
}

/** The sum of everything as the match weight, and the probability that follows from it. */
function weighedSql(parameters: Parameters, from: string): string {
  return `SELECT *, 1 / (1 + pow(2::DOUBLE, -match_weight)) AS probability FROM (
    SELECT *, ${priorWeight(parameters)}::DOUBLE + ${total(COMPARISONS)} + household_weight AS match_weight FROM (
      SELECT *, ${householdSql(parameters)} AS household_weight FROM (${from})))`;
}

/** Makes the table `weighed` of compared pairs: their probability without regard to how frequent values are. */
export function weighSql(pairs: string, parameters: Parameters): string {
  const weights = COMPARISONS.map(
    (one) => `${levelWeightSql(one, parameters)} AS ${one.name}_weight`,
  );
  return `CREATE OR REPLACE TEMP TABLE weighed AS
    SELECT l_number, r_number, ${COMPARISONS.map((one) => one.name).join(", ")}, probability AS first_probability FROM (
      ${weighedSql(parameters, `SELECT *, ${weights.join(", ")} FROM ${pairs}`)}) WHERE match_weight >= ${DROPPED_BELOW_BITS}`;
}

/**
 * Makes the table `own`: of the records that hold a record's value, how many are probably the same
 * person's (expected count, by column as in `record`, `_count` for `_own`).
 */
export function ownSql(): string {
  const sums = frequencyColumns.map((column) => {
    const fields = column === "place" ? ["postcode", "city"] : [column];
    const equal = fields.map((field) => `l.${field} = r.${field}`).join(" AND ");
    return `sum(first_probability) FILTER (WHERE ${equal}) AS ${column}_own`;
  });
  return `CREATE OR REPLACE TEMP TABLE own AS
    WITH likely AS (
      SELECT l_number, r_number, first_probability FROM weighed WHERE first_probability >= 0.01
      UNION ALL SELECT r_number, l_number, first_probability FROM weighed WHERE first_probability >= 0.01)
    SELECT l_number AS number, ${sums.join(", ")} FROM (SELECT * FROM likely ORDER BY l_number, r_number) AS likely
    JOIN record AS l ON l.number = l_number JOIN record AS r ON r.number = r_number GROUP BY l_number`;
}

/**
 * What the frequency of the agreeing value adds, in bits (Newcombe et al. 1959; Winkler 1990): log2(u / share),
 * where the share is that of the other people's records that hold the value, so that several records of one
 * person do not make it common. Of one that nobody else holds it is taken for one record, or for u where this is less.
 */
function frequencyWeightSql(comparison: Comparison, parameters: Parameters): string {
  const shares = sharesOf(parameters, comparison);
  const cases = comparison.levels.flatMap(({ frequency }, index) => {
    if (frequency === undefined) {
      return [];
    }
    const level = levelNumber(comparison, index);
    const u = shares.u[level] ?? 1;
    const others = (side: string): string =>
      `${side}.${frequency}_count - 2 - greatest(coalesce(${side}_own.${frequency}_own, 0) - first_probability, 0)`;
    const held = `(SELECT greatest(count(*), 1) FROM record WHERE ${frequency}_count > 0)`;
    const share = `greatest(least(${others("l")}, ${others("r")}) / ${held}, least(1 / ${held}, ${u}::DOUBLE))`;
    return [`WHEN ${level} THEN log2(${u}::DOUBLE / ${share})`];
  });
  return cases.length === 0
    ? "0::DOUBLE"
    : `CASE pair.${comparison.name} ${cases.join(" ")} ELSE 0::DOUBLE END`;
}

/**
 * Makes the table `scored` of the pairs in `weighed`: per comparison its level and its weight in bits
 * (`<name>_weight`); `household_weight`, at most zero, which allows for two people of one household;
 * `match_weight`, the sum of them all and of the prior weight; and the probability that follows from it.
 */
export function scoreSql(parameters: Parameters): string {
  const weights = COMPARISONS.map(
    (one) =>
      `${levelWeightSql(one, parameters, "pair.")} + ${frequencyWeightSql(one, parameters)} AS ${one.name}_weight`,
  );
  return `CREATE OR REPLACE TEMP TABLE scored AS ${weighedSql(
    parameters,
    `SELECT pair.*, l.record_id AS l_id, r.record_id AS r_id, ${weights.join(",\n")}
     FROM weighed AS pair JOIN record AS l ON l.number = l_number JOIN record AS r ON r.number = r_number
     LEFT JOIN own AS l_own ON l_own.number = l_number LEFT JOIN own AS r_own ON r_own.number = r_number`,
  )}`;
}
