import { type Dataset, featureColumn } from "../dataset.ts";

/**
 * Poisson purchases whose rate is gamma-distributed over pairs (Bhagat et al. 2018, "Buy It Again",
 * the PG model): after `frequency` purchases in `tenure` days the rate is gamma(shape + frequency,
 * scale + tenure), so the chance of silence over a span has a closed form. With `rhythm` it is their
 * modified model (MPG): until twice the mean gap has passed since the last purchase, the silence counts as
 * twice its distance from the mean gap, so that the rate peaks when the gap is over.
 */
export interface PoissonGamma {
  readonly frequencyFeature: string;
  readonly tenureFeature: string;
  readonly rhythm?: Rhythm;
  readonly intervals: number;
  readonly intervalDays: number;
  readonly shape: number;
  /** In days. */
  readonly scale: number;
}

/** The features that tell the silence and the mean gap, in days. */
export interface Rhythm {
  readonly recencyFeature: string;
  readonly gapFeature: string;
}

const SAMPLE = 20_000;

/** Fits shape and scale by maximum likelihood over evenly spaced rows, by coordinate search in logs. */
export function fitPoissonGamma(
  dataset: Dataset,
  intervals: number,
  intervalDays: number,
  features: { readonly frequency: string; readonly tenure: string; readonly rhythm?: Rhythm },
): PoissonGamma {
  const frequency = knownOrZero(dataset, features.frequency);
  const stride = Math.max(1, Math.floor(dataset.rows / SAMPLE));
  const base = {
    frequencyFeature: features.frequency,
    tenureFeature: features.tenure,
    ...(features.rhythm === undefined ? {} : { rhythm: features.rhythm }),
    intervals,
    intervalDays,
  };
  const exposure = exposureOf(base, dataset);
  const loss = (logShape: number, logScale: number): number => {
    const shape = Math.exp(logShape);
    const scale = Math.exp(logScale);
    let sum = 0;
    for (let row = 0; row < dataset.rows; row += stride) {
      const event = dataset.events[row] ?? -1;
      const seen = Math.min(intervals, event >= 0 ? event : (dataset.observed[row] ?? 0));
      const k = shape + (frequency[row] ?? 0);
      const weight = dataset.weights?.[row] ?? 1;
      for (let interval = 0; interval < seen; interval++) {
        const t = scale + exposure(row, interval);
        sum -= weight * k * Math.log(t / (t + intervalDays));
      }
      if (event >= 0) {
        sum -= weight * Math.log(intervalHazard(k, scale + exposure(row, event), intervalDays));
      }
    }
    return sum;
  };
  let point: [number, number] = [0, Math.log(60)];
  let best = loss(...point);
  for (let step = 1; step > 0.01; step /= 2) {
    for (let moved = true; moved; ) {
      moved = false;
      for (const [dx, dy] of [
        [step, 0],
        [-step, 0],
        [0, step],
        [0, -step],
        [step, step],
        [-step, -step],
      ] as const) {
        const next: [number, number] = [point[0] + dx, point[1] + dy];
        const value =
          Math.max(...next.map(Math.abs)) < 12 ? loss(...next) : Number.POSITIVE_INFINITY;
        if (value < best - 1e-9) {
          best = value;
          point = next;
          moved = true;
        }
      }
    }
  }
  return { ...base, shape: Math.exp(point[0]), scale: Math.exp(point[1]) };
}

/** The model's hazards for every row, rows × intervals. */
export function poissonGammaHazards(model: PoissonGamma, dataset: Dataset): Float64Array {
  const frequency = knownOrZero(dataset, model.frequencyFeature);
  const exposure = exposureOf(model, dataset);
  const result = new Float64Array(dataset.rows * model.intervals);
  for (let row = 0; row < dataset.rows; row++) {
    const k = model.shape + (frequency[row] ?? 0);
    for (let interval = 0; interval < model.intervals; interval++) {
      const t = model.scale + exposure(row, interval);
      result[row * model.intervals + interval] = intervalHazard(k, t, model.intervalDays);
    }
  }
  return result;
}

/** Who never bought has neither purchases nor tenure: the population's gamma is all there is. */
function knownOrZero(dataset: Dataset, feature: string): Float32Array {
  return featureColumn(dataset, feature).map((value) => (Number.isNaN(value) ? 0 : value));
}

/** Days that count against a row's purchases at the start of an interval, if it is silent until then. */
function exposureOf(
  model: Pick<PoissonGamma, "tenureFeature" | "rhythm" | "intervalDays">,
  dataset: Dataset,
): (row: number, interval: number) => number {
  const { rhythm, intervalDays } = model;
  const tenure = knownOrZero(dataset, model.tenureFeature);
  const plain = (row: number, interval: number): number =>
    (tenure[row] ?? 0) + interval * intervalDays;
  if (rhythm === undefined) {
    return plain;
  }
  const recency = knownOrZero(dataset, rhythm.recencyFeature);
  const gap = knownOrZero(dataset, rhythm.gapFeature);
  return (row, interval) => {
    const silence = (recency[row] ?? 0) + interval * intervalDays;
    const mean = gap[row] ?? 0;
    return silence < 2 * mean
      ? (tenure[row] ?? 0) - (recency[row] ?? 0) + 2 * Math.abs(mean - silence)
      : plain(row, interval);
  };
}

/** P(a purchase within an interval | none before) at gamma(k, t): one minus the ratio of the silences. */
function intervalHazard(k: number, t: number, intervalDays: number): number {
  return -Math.expm1(k * Math.log(t / (t + intervalDays)));
}
