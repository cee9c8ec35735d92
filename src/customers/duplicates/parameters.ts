import { COMPARISONS, type Comparison } from "./comparisons.ts";

/** Shares of a comparison's levels, by level number (0 is "different"), among matches and non-matches. */
export interface LevelShares {
  readonly m: readonly number[];
  readonly u: readonly number[];
}

/** All that prediction needs to know. */
export interface Parameters {
  /** The share of matches among all pairs of records. */
  readonly prior: number;
  /** The share, among non-matches, of pairs of one household: equal in what households share, else as strangers. */
  readonly household: number;
  readonly comparisons: Readonly<Record<string, LevelShares>>;
}

/** Matches that the initial shares count for when shares are learned. */
const PRIOR_MATCHES = 5;

/** Pairs of namesakes that their expected shares count for. */
const PRIOR_NAMESAKES = 5;

/** Before anything was learned: m as the comparisons say, u by the counts among random pairs. */
export function initialShares(comparison: Comparison): readonly number[] {
  const stated = comparison.levels.map(({ m }) => m);
  const rest = 1 - stated.reduce((sum, m) => sum + m, 0);
  return [Math.max(rest, 0.01), ...stated.toReversed()];
}

/** Shares among matches, of (fractional) counts by level; a few counts stay near the initial shares. */
export function matchShares(comparison: Comparison, counts: readonly number[]): readonly number[] {
  const initial = initialShares(comparison);
  return normalise(initial.map((share, level) => (counts[level] ?? 0) + PRIOR_MATCHES * share));
}

/**
 * Shares among non-matches. Half a pair is added to each level, so that unseen is not impossible; of a
 * comparison of namesakes, of which there are few, five pairs as they are expected.
 */
export function nonMatchShares(
  comparison: Comparison,
  counts: readonly number[],
): readonly number[] {
  return normalise(
    initialShares(comparison).map(
      (_, level) =>
        (counts[level] ?? 0) +
        (comparison.strangers === undefined
          ? 0.5
          : PRIOR_NAMESAKES * (comparison.strangers[level] ?? 0)),
    ),
  );
}

function normalise(values: readonly number[]): readonly number[] {
  const sum = values.reduce((total, value) => total + value, 0);
  return values.map((value) => value / sum);
}

/** What a level adds to the match weight: log2(m / u), in bits. */
export function levelWeight(shares: LevelShares, level: number): number {
  return Math.log2((shares.m[level] ?? 1) / (shares.u[level] ?? 1));
}

/** The shares of a comparison. Throws where there are none: parameters hold every comparison. */
export function sharesOf(parameters: Parameters, comparison: Comparison): LevelShares {
  const shares = parameters.comparisons[comparison.name];
  if (shares === undefined) {
    throw new Error(`no parameters for ${comparison.name}`);
  }
  return shares;
}

/** The parameters with other shares in place of some. */
export function withShares(
  parameters: Parameters,
  of: (comparison: Comparison, now: LevelShares) => Partial<LevelShares>,
): Parameters {
  const comparisons = Object.fromEntries(
    COMPARISONS.map((one) => {
      const now = sharesOf(parameters, one);
      return [one.name, { ...now, ...of(one, now) }];
    }),
  );
  return { ...parameters, comparisons };
}
