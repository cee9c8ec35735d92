import { seededRandom } from "../base/index.ts";
import type { Dataset } from "./dataset.ts";
import { probabilityWithin } from "./distribution.ts";
import {
  averagePrecision,
  brierScore,
  calibrationError,
  keptAfterPruning,
  logLoss,
  rocAuc,
} from "./metrics.ts";
import type { ModelTask } from "./task.ts";

/** Named figures; which ones depends on the model (see docs/architecture.md, "The figures"). */
export type Metrics = Readonly<Record<string, number>>;

/** Figures of one week (repurchase only). */
export interface IntervalMetrics {
  readonly auc: number;
  readonly averagePrecision: number;
  readonly brier: number;
  readonly calibrationError: number;
  readonly forecast: number;
  readonly observed: number;
}

export interface Measurement {
  readonly metrics: Metrics;
  readonly perInterval: readonly IntervalMetrics[];
}

/** An estimate with its 95% interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const PRUNED_SHARES = [0.2, 0.3, 0.4, 0.5];
const HEADLINE_WEEKS = 4;

/**
 * The figures of one system. `distribution` is rows × (intervals + 1), every row labelled in full.
 * Repurchase: `nll` over the weeks and later (nats), AUC, average precision, Brier and calibration
 * error within 4 weeks, AUC within the horizon, and the means over the one-week targets. Intent: AUC,
 * average precision, log loss, Brier, calibration error, and conversions kept after pruning.
 */
export function measure(
  task: ModelTask,
  dataset: Dataset,
  distribution: Float64Array,
): Measurement {
  const { intervals } = task;
  const within = (from: number, to: number): { p: Float64Array; y: Uint8Array } => ({
    p: probabilityWithin(distribution, intervals, from, to),
    y: Uint8Array.from(dataset.events, (event) => (event >= from && event < to ? 1 : 0)),
  });
  if (task.model === "conversion-intent") {
    const { p, y } = within(0, 1);
    const kept = PRUNED_SHARES.map((share) => [
      `kept_${Math.round(100 * share)}`,
      keptAfterPruning(p, y, share),
    ]);
    return {
      metrics: {
        auc: rocAuc(p, y),
        average_precision: averagePrecision(p, y),
        log_loss: logLoss(p, y),
        brier: brierScore(p, y),
        calibration_error: calibrationError(p, y),
        ...(Object.fromEntries(kept) as Record<string, number>),
      },
      perInterval: [],
    };
  }
  const perInterval = Array.from({ length: intervals }, (_, week) => {
    const { p, y } = within(week, week + 1);
    return {
      auc: rocAuc(p, y),
      averagePrecision: averagePrecision(p, y),
      brier: brierScore(p, y),
      calibrationError: calibrationError(p, y),
      forecast: mean(p),
      observed: mean(y),
    };
  });
  const soon = within(0, Math.min(HEADLINE_WEEKS, intervals));
  const horizon = within(0, intervals);
  return {
    metrics: {
      nll: mean(rowLosses(dataset, distribution, intervals)),
      auc_4w: rocAuc(soon.p, soon.y),
      average_precision_4w: averagePrecision(soon.p, soon.y),
      brier_4w: brierScore(soon.p, soon.y),
      calibration_error_4w: calibrationError(soon.p, soon.y),
      auc_horizon: rocAuc(horizon.p, horizon.y),
      weekly_auc: mean(perInterval.map((week) => week.auc)),
      weekly_average_precision: mean(perInterval.map((week) => week.averagePrecision)),
    },
    perInterval,
  };
}

/** The negative log likelihood of each labelled row, in nats. */
export function rowLosses(
  dataset: Dataset,
  distribution: Float64Array,
  intervals: number,
): Float64Array {
  return Float64Array.from({ length: dataset.rows }, (_, row) => {
    const event = dataset.events[row] ?? -1;
    return -Math.log(
      Math.max(1e-12, distribution[row * (intervals + 1) + (event < 0 ? intervals : event)] ?? 0),
    );
  });
}

const RESAMPLES = 200;

/**
 * A statistic's 95% interval over resamples of whole customers (their rows depend on each other):
 * `statistic` gets a weight per row. Percentiles of 200 seeded Poisson bootstraps (Chamandy et al.
 * 2012, "Estimating uncertainty for massive data streams").
 */
export function bootstrap(
  customers: Int32Array,
  seed: number,
  statistic: (weights: Float64Array) => number,
): Interval {
  const random = seededRandom(seed);
  const numberOf = new Map<number, number>();
  for (const customer of customers) {
    if (!numberOf.has(customer)) {
      numberOf.set(customer, numberOf.size);
    }
  }
  const index = Int32Array.from(customers, (customer) => numberOf.get(customer) ?? 0);
  const ones = new Float64Array(customers.length).fill(1);
  const values = Array.from({ length: RESAMPLES }, () => {
    const drawn = Float64Array.from({ length: numberOf.size }, () => poisson(random.next()));
    return statistic(Float64Array.from(index, (number) => drawn[number] ?? 0));
  })
    .filter((value) => !Number.isNaN(value))
    .sort((a, b) => a - b);
  const at = (share: number): number =>
    values[Math.round(share * (values.length - 1))] ?? Number.NaN;
  return { mean: statistic(ones), low: at(0.025), high: at(0.975) };
}

/** The weighted mean difference of two systems' row losses: positive where the second is better. */
export function lossDifference(
  first: Float64Array,
  second: Float64Array,
  weights: Float64Array,
): number {
  let sum = 0;
  let total = 0;
  for (let row = 0; row < weights.length; row++) {
    const weight = weights[row] ?? 0;
    sum += weight * ((first[row] ?? 0) - (second[row] ?? 0));
    total += weight;
  }
  return sum / total;
}

/** A draw from Poisson(1) by inversion. */
function poisson(uniform: number): number {
  let k = 0;
  let term = Math.exp(-1);
  let cumulative = term;
  while (uniform > cumulative && k < 20) {
    k++;
    term /= k;
    cumulative += term;
  }
  return k;
}

function mean(values: Float64Array | Uint8Array | readonly number[]): number {
  let sum = 0;
  for (const value of values) {
    sum += value;
  }
  return sum / values.length;
}
