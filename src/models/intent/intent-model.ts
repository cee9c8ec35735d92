import { type BinnedHazard, binnedHazards } from "../baselines/binned-hazard.ts";
import type { Dataset } from "../dataset.ts";
import { sigmoid } from "../distribution.ts";
import { type IntentForward, prepareForward } from "./forward.ts";
import type { IntentNetwork } from "./network.ts";
import { NO_SHIFT, type Shift } from "./span-calibration.ts";

/** What a fitted system is: the network (logistic regression is one without hidden units), or a rule. */
export type IntentSystem =
  | { readonly kind: "network"; readonly network: IntentNetwork }
  | { readonly kind: "rule"; readonly table: BinnedHazard };

/** A system with what makes probabilities of it: it answers for each horizon, and where a score stands among all. */
export interface IntentModel {
  /** Ascending, ms; the hazards are of the spans between them. */
  readonly horizonsMs: readonly number[];
  /** Which horizon ranks visitors, is explained and is judged first; an index. */
  readonly mainHorizon: number;
  readonly system: IntentSystem;
  /** Per span. */
  readonly calibration: readonly Shift[];
  /** Ascending quantiles of the main probability among visits of the calibration period: 0%, 1%, ... 100%. */
  readonly quantiles: readonly number[];
}

/** Answers for one row at a time, with typed arrays alone. */
export interface IntentScorer {
  /** P(an order within each horizon), ascending; `features` are in the order of the names it was made for. */
  probabilitiesOf(features: Float32Array): Float64Array;
  readonly forward: IntentForward | undefined;
}

/** Makes a model ready to answer for rows of these features. */
export function prepareScorer(model: IntentModel, featureNames: readonly string[]): IntentScorer {
  const { system } = model;
  if (system.kind === "network") {
    const forward = prepareForward(system.network, featureNames);
    return {
      forward,
      probabilitiesOf: (features) => withinHorizons(model, forward.logitsOf(features).map(sigmoid)),
    };
  }
  return {
    forward: undefined,
    probabilitiesOf: (features) =>
      withinHorizons(model, binnedHazards(system.table, oneRow(featureNames, features))),
  };
}

/** The probabilities of one row's spans' hazards, by horizon. */
export function withinHorizons(
  { calibration, horizonsMs }: Pick<IntentModel, "calibration" | "horizonsMs">,
  hazards: ArrayLike<number>,
): Float64Array {
  let silence = 1;
  return Float64Array.from(horizonsMs, (_, span) => {
    const { intercept, slope } = calibration[span] ?? NO_SHIFT;
    silence *= 1 - sigmoid(intercept + slope * logOdds(hazards[span] ?? 0));
    return 1 - silence;
  });
}

/** Log odds, held within ±30. */
export function logOdds(p: number): number {
  return Math.min(30, Math.max(-30, Math.log(p / (1 - p))));
}

/** The share of visits whose main probability is at or below this one, to one in a hundred and between by lines. */
export function percentileAmong({ quantiles }: Pick<IntentModel, "quantiles">, p: number): number {
  const last = quantiles.length - 1;
  const above = quantiles.findIndex((quantile) => quantile > p);
  if (last < 1 || above === 0) {
    return 0;
  }
  if (above === -1) {
    return 1;
  }
  const [low, high] = [quantiles[above - 1] ?? 0, quantiles[above] ?? 1];
  return (above - 1 + (p - low) / (high - low)) / last;
}

/** A data set of one row whose outcome is not known. */
export function oneRow(featureNames: readonly string[], features: Float32Array): Dataset {
  return {
    featureNames,
    rows: 1,
    features,
    cutoffs: new Float64Array(1),
    customers: new Int32Array(1),
    products: [],
    events: new Int16Array(1).fill(-1),
    observed: new Int16Array(1),
  };
}
