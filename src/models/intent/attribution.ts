import { sigmoid } from "../distribution.ts";
import type { IntentForward } from "./forward.ts";
import { columnsOf } from "./inputs.ts";
import { type IntentModel, logOdds, withinHorizons } from "./intent-model.ts";
import type { IntentNetwork } from "./network.ts";
import { NO_SHIFT } from "./span-calibration.ts";

/** What each feature adds to the log odds of an order within the main horizon, against a typical visitor. */
export interface Attribution {
  /** The log odds of a row in which every feature has its typical value. */
  readonly base: number;
  /** The log odds of this row, as served: base, contributions and remainder together. */
  readonly logOdds: number;
  /** In the order of the network's features. */
  readonly contributions: Float64Array;
  /** What the steps of the path miss. */
  readonly remainder: number;
}

const STEPS = 64;

/**
 * Integrated gradients (Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks") along the
 * straight path from the typical row's inputs to this row's, in midpoint steps: contributions add up to the
 * difference of the log odds but for the remainder, which is told. `features` holds the row in the order of the
 * names that `forward` was made for.
 */
export function attribute(
  model: IntentModel,
  network: IntentNetwork,
  forward: IntentForward,
  featureNames: readonly string[],
  features: ArrayLike<number>,
): Attribution {
  const columns = columnsOf(network.inputs, featureNames);
  const to = forward.sumsOf(features).slice();
  const differences = network.inputs.typical.map((value, feature) => {
    const own = new Float64Array(forward.firstUnits);
    const other = new Float64Array(forward.firstUnits);
    forward.addFeature(feature, features[columns[feature] ?? 0] ?? Number.NaN, own);
    forward.addFeature(feature, value, other);
    return own.map((sum, unit) => sum - (other[unit] ?? 0));
  });
  const from = Float64Array.from(to);
  for (const difference of differences) {
    difference.forEach((value, unit) => {
      from[unit] = (from[unit] ?? 0) - value;
    });
  }
  const mean = new Float64Array(forward.firstUnits);
  for (let step = 0; step < STEPS; step++) {
    const share = (step + 0.5) / STEPS;
    const sums = from.map((value, unit) => value + share * ((to[unit] ?? 0) - value));
    const gradient = forward.gradientAt(sums, gradientByLogits(model, forward.logitsFrom(sums)));
    gradient.forEach((value, unit) => {
      mean[unit] = (mean[unit] ?? 0) + value / STEPS;
    });
  }
  const contributions = Float64Array.from(differences, (difference) =>
    difference.reduce((sum, value, unit) => sum + value * (mean[unit] ?? 0), 0),
  );
  const oddsOf = (sums: Float64Array): number =>
    logOdds(withinHorizons(model, forward.logitsFrom(sums).map(sigmoid))[model.mainHorizon] ?? 0);
  const [base, own] = [oddsOf(from), oddsOf(to)];
  const explained = contributions.reduce((sum, value) => sum + value, 0);
  return { base, logOdds: own, contributions, remainder: own - base - explained };
}

/** How the log odds of an order within the main horizon change with each span's logit. */
function gradientByLogits(
  { calibration, mainHorizon }: IntentModel,
  logits: Float64Array,
): Float64Array {
  let silence = 1;
  const gradient = logits.map((logit, span) => {
    if (span > mainHorizon) {
      return 0;
    }
    const { intercept, slope } = calibration[span] ?? NO_SHIFT;
    const hazard = sigmoid(intercept + slope * logit);
    silence *= 1 - hazard;
    return slope * hazard;
  });
  return gradient.map((value) => value / Math.max(1e-12, 1 - silence));
}
