import { sigmoid } from "../distribution.ts";
import type { IntentForward } from "./forward.ts";
import { columnsOf } from "./inputs.ts";
import { type IntentModel, logOdds, withinHorizons } from "./intent-model.ts";
import { slopeAt } from "./layer-gradient.ts";
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
  /** What the steps of the path miss, and what is lost in rounding. */
  readonly remainder: number;
}

const STEPS = 64;

/**
 * Integrated gradients (Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks") along the
 * straight path from the typical row's inputs to this row's, in midpoint steps: contributions add up to the
 * difference of the log odds but for the remainder, which is told: what the steps miss and what 32-bit numbers round. `features` holds the row in the order of the
 * names that `forward` was made for.
 */
export function attribute(
  model: IntentModel,
  network: IntentNetwork,
  forward: IntentForward,
  featureNames: readonly string[],
  features: Float32Array,
): Attribution {
  const columns = columnsOf(network.inputs, featureNames);
  const differences = Array.from(columns, (column, feature) =>
    forward.differenceOf(feature, features[column] ?? Number.NaN),
  );
  const from = Float64Array.from(forward.typicalSums);
  const whole = new Float64Array(from.length);
  for (const difference of differences) {
    addTo(whole, difference, 1);
  }
  const mean = new Float64Array(from.length);
  const byLogits = (logits: Float64Array): Float64Array => gradientByLogits(model, logits);
  for (let step = 0; step < STEPS; step++) {
    const sums = from.slice();
    addTo(sums, whole, (step + 0.5) / STEPS);
    addTo(mean, slopeAt(network, sums, byLogits).gradient, 1 / STEPS);
  }
  const contributions = Float64Array.from(differences, (difference) =>
    difference.reduce((sum, value, unit) => sum + value * (mean[unit] ?? 0), 0),
  );
  const oddsOf = (logits: Float64Array): number =>
    logOdds(withinHorizons(model, logits.map(sigmoid))[model.mainHorizon] ?? 0);
  const base = oddsOf(slopeAt(network, from, byLogits).logits);
  const own = oddsOf(forward.logitsOf(features));
  const explained = contributions.reduce((sum, value) => sum + value, 0);
  return { base, logOdds: own, contributions, remainder: own - base - explained };
}

function addTo(target: Float64Array, values: ArrayLike<number>, factor: number): void {
  for (let index = 0; index < target.length; index++) {
    target[index] = (target[index] ?? 0) + factor * (values[index] ?? 0);
  }
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
