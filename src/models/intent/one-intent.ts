import { baselineHazards } from "../baseline.ts";
import { type Calibration, calibrate } from "../calibrate.ts";
import { sigmoid } from "../distribution.ts";
import { logitsOfOne } from "../forward.ts";
import type { FittedModel } from "../predictor.ts";
import { attribute } from "./attribution.ts";
import { columnsOf } from "./inputs.ts";
import { type IntentModel, oneRow, percentileAmong, prepareScorer } from "./intent-model.ts";
import { isBot } from "./rows.ts";

/** What a model says of one row. */
export interface IntentAnswer {
  /** Ascending in both. */
  readonly horizons: readonly { readonly hours: number; readonly probability: number }[];
  /** The probability that ranks: of the main horizon. */
  readonly probability: number;
  /** The share of visits whose main probability is at or below this one; null where the model knows none. */
  readonly percentile: number | null;
  readonly isBot: boolean;
}

/** What one feature adds to the log odds, against its typical value. */
export interface IntentReason {
  readonly feature: string;
  /** null is unknown. */
  readonly value: number | null;
  readonly typical: number | null;
  readonly contribution: number;
  /** The probability, were this feature alone at its typical value. */
  readonly probabilityIfTypical: number;
}

/** Reasons that add up: base, all contributions and the remainder are the log odds. */
export interface IntentReasons {
  readonly method: string;
  readonly source: string;
  readonly base: number;
  readonly logOdds: number;
  readonly remainder: number;
  /** The sum of the contributions that are not listed. */
  readonly others: number;
  readonly reasons: readonly IntentReason[];
}

/** Answers for one row at a time, with typed arrays alone. */
export interface OneIntent {
  /** `row` is in the order of the feature names; null is unknown. */
  answer(row: readonly (number | null)[]): IntentAnswer;
  /** The strongest reasons, at most so many; undefined where the model is no network of visits. */
  explain(row: readonly (number | null)[], most: number): IntentReasons | undefined;
}

const HOUR_MS = 3_600_000;

/** Makes a fitted model of intent ready; `intervalMs` is the horizon of one that was not learned from visits. */
export function prepareIntent(
  {
    fitted,
    calibration,
    intervalMs,
  }: {
    readonly fitted: FittedModel;
    readonly calibration: Calibration;
    readonly intervalMs: number;
  },
  featureNames: readonly string[],
): OneIntent {
  return fitted.kind === "intent"
    ? ofVisits(fitted.model, featureNames)
    : ofPool(fitted, calibration, intervalMs, featureNames);
}

function ofVisits(model: IntentModel, featureNames: readonly string[]): OneIntent {
  const scorer = prepareScorer(model, featureNames);
  const { mainHorizon, horizonsMs, system } = model;
  const mainOf = (features: Float32Array): number =>
    scorer.probabilitiesOf(features)[mainHorizon] ?? 0;
  const answered = new Float32Array(featureNames.length);
  return {
    answer: (row) => {
      const probabilities = scorer.probabilitiesOf(featuresOf(row, answered));
      const probability = probabilities[mainHorizon] ?? 0;
      return {
        horizons: horizonsMs.map((horizon, index) => ({
          hours: horizon / HOUR_MS,
          probability: probabilities[index] ?? 0,
        })),
        probability,
        percentile: percentileAmong(model, probability),
        isBot: isBot(featureNames, row),
      };
    },
    explain: (row, most) => {
      if (system.kind !== "network" || scorer.forward === undefined) {
        return undefined;
      }
      const { inputs } = system.network;
      const features = featuresOf(row);
      const columns = columnsOf(inputs, featureNames);
      const found = attribute(model, system.network, scorer.forward, featureNames, features);
      const order = [...found.contributions.keys()]
        .sort(
          (a, b) => Math.abs(found.contributions[b] ?? 0) - Math.abs(found.contributions[a] ?? 0),
        )
        .slice(0, most);
      const reasons = order.map((index): IntentReason => {
        const column = columns[index] ?? 0;
        const typical = inputs.typical[index] ?? Number.NaN;
        const changed = features.slice();
        changed[column] = typical;
        return {
          feature: inputs.featureNames[index] ?? "",
          value: row[column] ?? null,
          typical: Number.isNaN(typical) ? null : typical,
          contribution: found.contributions[index] ?? 0,
          probabilityIfTypical: mainOf(changed),
        };
      });
      const total = found.contributions.reduce((sum, one) => sum + one, 0);
      return {
        method: "integrated gradients of the log odds, from the typical visitor's inputs",
        source: "Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks",
        base: found.base,
        logOdds: found.logOdds,
        remainder: found.remainder,
        others: reasons.reduce((rest, { contribution }) => rest - contribution, total),
        reasons,
      };
    },
  };
}

function ofPool(
  fitted: Exclude<FittedModel, { kind: "intent" }>,
  calibration: Calibration,
  intervalMs: number,
  featureNames: readonly string[],
): OneIntent {
  return {
    answer: (row) => {
      const hazards = hazardsOfOne(fitted, featureNames, featuresOf(row));
      const probability = calibrate(hazards, 1, calibration)[0] ?? 0;
      return {
        horizons: [{ hours: intervalMs / HOUR_MS, probability }],
        probability,
        percentile: null,
        isBot: isBot(featureNames, row),
      };
    },
    explain: () => undefined,
  };
}

function hazardsOfOne(
  fitted: Exclude<FittedModel, { kind: "intent" }>,
  featureNames: readonly string[],
  features: Float32Array,
): Float64Array {
  return fitted.kind === "network"
    ? logitsOfOne(fitted.network, featureNames, features).map(sigmoid)
    : baselineHazards(fitted, oneRow(featureNames, features));
}

/** A row as numbers, NaN where unknown; written to `into` where that is given. */
function featuresOf(
  row: readonly (number | null)[],
  into = new Float32Array(row.length),
): Float32Array {
  for (let column = 0; column < into.length; column++) {
    into[column] = row[column] ?? Number.NaN;
  }
  return into;
}
