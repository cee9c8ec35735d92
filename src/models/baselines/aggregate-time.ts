import { type Dataset, featureColumn } from "../dataset.ts";

/**
 * The aggregate time distribution (Bhagat et al. 2018, "Buy It Again", ATD): gaps between purchases of a
 * product are lognormal over all who bought it again, by their mean and standard deviation; a pair's hazard
 * is that of the gap it is in. How many come back at all is left to calibration.
 */
export interface AggregateTime {
  readonly recencyFeature: string;
  readonly meanFeature: string;
  readonly spreadFeature: string;
  readonly intervals: number;
  readonly intervalDays: number;
  /** Mean and standard deviation in days where a product's are unknown: means over the training rows. */
  readonly mean: number;
  readonly spread: number;
}

/** Takes the population's mean gap and spread from the rows. */
export function fitAggregateTime(
  dataset: Dataset,
  intervals: number,
  intervalDays: number,
  features: Pick<AggregateTime, "recencyFeature" | "meanFeature" | "spreadFeature">,
): AggregateTime {
  const mean = meanOf(featureColumn(dataset, features.meanFeature), 60);
  const spread = meanOf(featureColumn(dataset, features.spreadFeature), mean);
  return { ...features, intervals, intervalDays, mean, spread };
}

function meanOf(column: Float32Array, otherwise: number): number {
  const known = column.filter((value) => value > 0);
  return known.length === 0
    ? otherwise
    : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** The model's hazards for every row, rows × intervals. */
export function aggregateTimeHazards(model: AggregateTime, dataset: Dataset): Float64Array {
  const [recency, mean, spread] = [
    featureColumn(dataset, model.recencyFeature),
    featureColumn(dataset, model.meanFeature),
    featureColumn(dataset, model.spreadFeature),
  ];
  const result = new Float64Array(dataset.rows * model.intervals);
  for (let row = 0; row < dataset.rows; row++) {
    const days = positiveOr(mean[row], model.mean);
    const variance = Math.log1p((positiveOr(spread[row], model.spread) / days) ** 2);
    const [location, scale] = [Math.log(days) - variance / 2, Math.sqrt(variance)];
    const survival = (silence: number): number =>
      silence <= 0 ? 1 : upperNormal((Math.log(silence) - location) / scale);
    const silence = positiveOr(recency[row], 0);
    for (let interval = 0; interval < model.intervals; interval++) {
      const from = silence + interval * model.intervalDays;
      const before = survival(from);
      result[row * model.intervals + interval] =
        before < 1e-9 ? 1 - 1e-9 : 1 - survival(from + model.intervalDays) / before;
    }
  }
  return result;
}

function positiveOr(value: number | undefined, otherwise: number): number {
  return value !== undefined && value > 0 ? value : otherwise;
}

/** P(a standard normal is above x), to 2e-7 relative (Numerical Recipes' erfc by Chebyshev fit). */
export function upperNormal(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 2 / (2 + z);
  const coefficients = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
    1.48851587, -0.82215223, 0.17087277,
  ];
  const polynomial = coefficients.reduceRight((sum, coefficient) => sum * t + coefficient, 0);
  const upper = (t * Math.exp(-z * z + polynomial)) / 2;
  return x >= 0 ? upper : 1 - upper;
}
