import type { DuckDb } from "../../base/index.ts";
import { BLOCKING_RULES } from "./blocking.ts";
import { COMPARISONS, type Comparison } from "./comparisons.ts";
import { expectationSql, patternsSql } from "./estimate.ts";
import {
  initialShares,
  matchShares,
  nonMatchShares,
  type Parameters,
  sharesOf,
  withShares,
} from "./parameters.ts";

const NAMES_RULE = BLOCKING_RULES.findIndex(({ name }) => name === "names");
const PASS_ITERATIONS = 8;
const PASS_PAIRS_MIN = 20;
const ITERATIONS_MAX = 30;
const CHANGE_MIN = 3e-4;
/** Of the pairs of a training rule's blocks, before a pass has learned better. */
const PASS_PRIOR = 0.3;
const PASS_HOUSEHOLD = 0.3;

/**
 * Learns the parameters without labels, from the tables of compared pairs `compared` (candidates, with
 * their patterns in `candidate_pattern`) and the patterns of random pairs in `random_pattern`:
 * u is what random pairs have in common, less the matches among them. m is first learned in one pass of
 * EM per training rule, over the comparisons which the rule does not decide, then over all candidates,
 * where the pairs that no rule found count as non-matches; that also gives the shares of matches and of
 * household pairs among all pairs.
 */
export async function learnParameters(duckdb: DuckDb, records: number): Promise<Parameters> {
  const allPairs = Math.max((records * (records - 1)) / 2, 1);
  const counts = await expect(duckdb, "random_pattern", { ...untaught(), prior: 1e-9 });
  const started = withShares(untaught(), (one) => ({
    u: nonMatchShares(one, one.strangers === undefined ? counts.others(one) : []),
  }));
  await duckdb.run(patternsSql("namesake_pattern", "compared", `rules & ${1 << NAMES_RULE} <> 0`));
  let parameters = await learnInPasses(duckdb, started);
  parameters = { ...parameters, ...(await startingShares(duckdb, allPairs)) };
  for (let iteration = 0; iteration < ITERATIONS_MAX; iteration++) {
    const found = await expect(duckdb, "candidate_pattern", parameters);
    const now = withShares(
      {
        ...parameters,
        prior: Math.min(Math.max(found.match, 0.5) / allPairs, 0.5),
        household: Math.max(found.household, 1e-3) / allPairs,
      },
      (one) => ({ m: matchShares(one, found.matches(one)) }),
    );
    const change = largestChange(parameters, now);
    parameters = now;
    if (iteration % 5 === 4 || change < CHANGE_MIN) {
      const strangers = await expect(duckdb, "random_pattern", parameters);
      const namesakes = await expect(duckdb, "namesake_pattern", parameters);
      parameters = withShares(parameters, (one) => ({
        u: nonMatchShares(one, (one.strangers === undefined ? strangers : namesakes).others(one)),
      }));
    }
    if (change < CHANGE_MIN) {
      break;
    }
  }
  return parameters;
}

function untaught(): Parameters {
  return {
    prior: PASS_PRIOR,
    household: PASS_HOUSEHOLD,
    comparisons: Object.fromEntries(
      COMPARISONS.map((one) => {
        const m = initialShares(one);
        return [one.name, { m, u: nonMatchShares(one, []) }];
      }),
    ),
  };
}

async function learnInPasses(duckdb: DuckDb, started: Parameters): Promise<Parameters> {
  const learned = new Map<string, number[]>();
  for (const [bit, rule] of BLOCKING_RULES.entries()) {
    if (!rule.trains) {
      continue;
    }
    await duckdb.run(patternsSql("pass_pattern", "compared", `rules & ${1 << bit} <> 0`));
    const [size] = await duckdb.rows("SELECT coalesce(sum(pairs), 0) AS pairs FROM pass_pattern");
    if (Number(size?.["pairs"]) < PASS_PAIRS_MIN) {
      continue;
    }
    const free = COMPARISONS.filter((one) => !rule.decides.includes(one.name));
    const counts = await learnOnePass(duckdb, started, free);
    for (const one of free) {
      const sums = learned.get(one.name) ?? [];
      const added = counts.matches(one).map((count, level) => count + (sums[level] ?? 0));
      learned.set(one.name, added);
    }
  }
  return withShares(started, (one) => ({ m: matchShares(one, learned.get(one.name) ?? []) }));
}

async function learnOnePass(
  duckdb: DuckDb,
  started: Parameters,
  free: readonly Comparison[],
): Promise<Expected> {
  let parameters = started;
  for (let iteration = 1; ; iteration++) {
    const counts = await expect(duckdb, "pass_pattern", parameters, free);
    if (iteration === PASS_ITERATIONS) {
      return counts;
    }
    parameters = withShares(
      {
        ...parameters,
        prior: Math.min(Math.max(counts.match / counts.pairs, 1e-6), 1 - 1e-3),
        household: Math.max(counts.household / counts.pairs, 1e-6),
      },
      (one) => (free.includes(one) ? { m: matchShares(one, counts.matches(one)) } : {}),
    );
  }
}

/** Pairs that agree fully in three comparisons are taken for most of the matches, to begin with. */
async function startingShares(
  duckdb: DuckDb,
  allPairs: number,
): Promise<Pick<Parameters, "prior" | "household">> {
  const agreements = COMPARISONS.map((one) => `(${one.name} = ${one.levels.length})::INT`);
  const [row] = await duckdb.rows(
    `SELECT coalesce(sum(pairs), 0) AS pairs FROM candidate_pattern WHERE ${agreements.join(" + ")} >= 3`,
  );
  const sure = Math.max(Number(row?.["pairs"] ?? 0), 1);
  return { prior: Math.min(sure / allPairs, 0.3), household: Math.min(sure / allPairs, 0.3) };
}

interface Expected {
  readonly pairs: number;
  readonly match: number;
  readonly household: number;
  /** Expected matches by level number. */
  matches(comparison: Comparison): number[];
  /** Expected pairs of strangers by level number. */
  others(comparison: Comparison): number[];
}

async function expect(
  duckdb: DuckDb,
  patterns: string,
  parameters: Parameters,
  uses?: readonly Comparison[],
): Promise<Expected> {
  const rows = await duckdb.rows(expectationSql(patterns, parameters, uses));
  const at = (comparison: string, level: number, column: "matches" | "others"): number =>
    Number(
      rows.find((row) => row["comparison"] === comparison && row["level"] === level)?.[column] ?? 0,
    );
  const byLevel = (one: Comparison, column: "matches" | "others"): number[] =>
    Array.from({ length: one.levels.length + 1 }, (_, level) => at(one.name, level, column));
  return {
    pairs: at("pairs", 0, "matches"),
    match: at("match", 0, "matches"),
    household: at("household", 0, "matches"),
    matches: (one) => byLevel(one, "matches"),
    others: (one) => byLevel(one, "others"),
  };
}

function largestChange(before: Parameters, after: Parameters): number {
  return Math.max(
    Math.abs(Math.log(after.prior / before.prior)),
    ...COMPARISONS.flatMap((one) => {
      const was = sharesOf(before, one).m;
      return sharesOf(after, one).m.map((m, level) => Math.abs(m - (was[level] ?? 0)));
    }),
  );
}
