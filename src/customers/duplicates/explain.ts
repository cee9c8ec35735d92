import type { SqlRow } from "../../base/index.ts";
import { COMPARISONS, DIFFERENT } from "./comparisons.ts";
import type { Parameters } from "./parameters.ts";
import { priorWeight } from "./predict.ts";

/** What one comparison says about a pair. */
export interface ComparisonWeight {
  readonly comparison: string;
  /** The level at which the two agree, such as "nearly equal"; "missing" where one of them says nothing. */
  readonly level: string;
  /** In bits: positive speaks for one person, negative for two. */
  readonly weight: number;
}

/** Why a pair has its match weight: `prior`, the comparisons and `household` add up to it, in bits. */
export interface Explanation {
  /** Of any two records being one person, before these two are looked at. */
  readonly prior: number;
  readonly comparisons: readonly ComparisonWeight[];
  /** At most zero: allows for two people of one household. */
  readonly household: number;
}

/** A pair of records and how probably they are one person. */
export interface ScoredPair {
  readonly leftId: string;
  readonly rightId: string;
  /** Log2 of the odds of one person against two. */
  readonly matchWeight: number;
  readonly probability: number;
  readonly explanation: Explanation;
}

/** The pairs of `scored` from a match weight on, the heaviest first. */
export function scoredPairsSql(fromWeight: number): string {
  return `SELECT * FROM scored WHERE match_weight >= ${fromWeight}::DOUBLE ORDER BY match_weight DESC, l_number, r_number`;
}

/** A row of `scored` with its explanation. */
export function scoredPair(row: SqlRow, parameters: Parameters): ScoredPair {
  return {
    leftId: String(row["l_id"]),
    rightId: String(row["r_id"]),
    matchWeight: Number(row["match_weight"]),
    probability: Number(row["probability"]),
    explanation: {
      prior: priorWeight(parameters),
      comparisons: COMPARISONS.map((one) => ({
        comparison: one.name,
        level: levelName(one.levels, Number(row[one.name])),
        weight: Number(row[`${one.name}_weight`]),
      })),
      household: Number(row["household_weight"]),
    },
  };

  function levelName(levels: readonly { readonly name: string }[], number: number): string {
    if (number < 0) {
      return "missing";
    }
    return levels[levels.length - number]?.name ?? DIFFERENT;
  }
}
