import { type Calibration, calibrate } from "./calibrate.ts";
import { distributionOf, logit, probabilityWithin, sigmoid } from "./distribution.ts";
import { openNetwork } from "./forward.ts";
import type { TrainedNetwork } from "./hazard-network.ts";
import { type Preprocessing, scoreWidth } from "./preprocess.ts";
import type { TensorBackend } from "./tensor-backend.ts";

/** What moved a row's answer: for each group of features, in log odds of a purchase within the reach. */
export interface Effects {
  /** The log odds of a row that is typical in every feature (the median, nothing unknown). */
  readonly base: number;
  /** Rows × groups, row-major: with `base` they add up to the row's calibrated log odds, to rounding. */
  readonly effects: Float64Array;
}

/**
 * How much each group of features (by the beginning of their names) moves the network's calibrated
 * probability of a purchase in the first `reach` intervals: Shapley values over the groups (Shapley 1953),
 * exact, a group that is left out being at the typical row. `scores` are rows of scores and flags. The
 * network is evaluated twice to the number of groups per row.
 */
export async function effectsOf(
  backend: TensorBackend,
  network: TrainedNetwork,
  calibration: Calibration,
  scores: Float32Array,
  { groups, reach }: { readonly groups: readonly string[]; readonly reach: number },
): Promise<Effects> {
  const width = scoreWidth(network.preprocessing);
  const groupOf = columnGroups(network.preprocessing, groups);
  const count = groups.length;
  const odds: Float64Array[] = [];
  const open = await openNetwork(backend, network);
  try {
    for (let members = 0; members < 1 << count; members++) {
      const seen = scores.map((score, cell) =>
        (members & (1 << (groupOf[cell % width] ?? 0))) === 0 ? 0 : score,
      );
      odds.push(oddsFrom(await open.logitsOf(seen), network.intervals, calibration, reach));
    }
  } finally {
    await open.close();
  }
  return { base: odds[0]?.[0] ?? 0, effects: shapleyValues(odds, count) };
}

/** What each group adds to the odds of the groups beside it, on average: rows × groups. */
function shapleyValues(odds: readonly Float64Array[], count: number): Float64Array {
  const rows = odds[0]?.length ?? 0;
  const effects = new Float64Array(rows * count);
  for (let group = 0; group < count; group++) {
    for (let members = 0; members < 1 << count; members++) {
      const without = odds[members];
      const joined = odds[members | (1 << group)];
      if ((members & (1 << group)) === 0 && without !== undefined && joined !== undefined) {
        const weight = shapleyWeight(members, count);
        for (let row = 0; row < rows; row++) {
          const cell = row * count + group;
          effects[cell] =
            (effects[cell] ?? 0) + weight * ((joined[row] ?? 0) - (without[row] ?? 0));
        }
      }
    }
  }
  return effects;
}

/** The calibrated log odds of a purchase in the first `reach` intervals, per row. */
function oddsFrom(
  logits: Float32Array,
  intervals: number,
  calibration: Calibration,
  reach: number,
): Float64Array {
  const hazards = calibrate(new Float64Array(logits).map(sigmoid), intervals, calibration);
  return probabilityWithin(distributionOf(hazards, intervals), intervals, 0, reach).map(logit);
}

/** Which group each score and flag is of. Throws where a feature is of none. */
function columnGroups(preprocessing: Preprocessing, groups: readonly string[]): number[] {
  const { featureNames, flags } = preprocessing;
  const own = featureNames.map((name) => {
    const group = groups.findIndex((prefix) => name.startsWith(prefix));
    if (group < 0) {
      throw new Error(`the feature "${name}" is of none of the groups ${groups.join(", ")}`);
    }
    return group;
  });
  return [...own, ...own.filter((_, column) => flags[column] === true)];
}

function shapleyWeight(members: number, count: number): number {
  const size = members.toString(2).replaceAll("0", "").length;
  return (factorial(size) * factorial(count - size - 1)) / factorial(count);
}

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}
