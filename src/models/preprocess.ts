import { lowerBound } from "../base/index.ts";
import { columnsNamed, type Dataset } from "./dataset.ts";

/**
 * What turns features into network inputs; fitted on training rows only and saved with the weights.
 * Each feature is mapped to the normal score of its training quantile (robust to heavy tails and to
 * any monotone change of unit), linear between knots and flat beyond them; unknown becomes 0 with a
 * flag of its own, where training rows had unknowns. With hinges, a score x is also seen as max(0, x - h) at
 * each, so that a layer begins with piecewise linear curves of it.
 */
export interface Preprocessing {
  readonly featureNames: readonly string[];
  /** Per feature: ascending distinct training quantiles; empty for a feature that never varied. */
  readonly knots: readonly (readonly number[])[];
  /** Per feature: the normal score at each knot. */
  readonly scores: readonly (readonly number[])[];
  /** Per feature: whether it has a flag for "unknown". */
  readonly flags: readonly boolean[];
  /** Scores at which the curves bend; none if absent. */
  readonly hinges?: readonly number[];
}

const KNOTS = 100;
const SAMPLE = 50_000;

/** Fits the given features (all unless given) on all rows, or on evenly spaced 50,000 of them. */
export function fitPreprocessing(
  dataset: Dataset,
  featureNames: readonly string[] = dataset.featureNames,
  hinges = 0,
): Preprocessing {
  const width = dataset.featureNames.length;
  const step = Math.max(1, Math.floor(dataset.rows / SAMPLE));
  const knots: number[][] = [];
  const scores: number[][] = [];
  const flags: boolean[] = [];
  for (const column of featureNames.map((name) => dataset.featureNames.indexOf(name))) {
    const values: number[] = [];
    let unknown = false;
    for (let row = 0; row < dataset.rows; row += step) {
      const value = dataset.features[row * width + column] ?? Number.NaN;
      if (Number.isNaN(value)) {
        unknown = true;
      } else {
        values.push(value);
      }
    }
    const fitted = quantileKnots(Float64Array.from(values).sort());
    knots.push(fitted.knots);
    scores.push(fitted.scores);
    flags.push(unknown && values.length > 0);
  }
  const bends = Array.from({ length: hinges }, (_, index) =>
    normalQuantile((index + 1) / (hinges + 1)),
  );
  return { featureNames, knots, scores, flags, ...(hinges === 0 ? {} : { hinges: bends }) };
}

/** How many inputs a network over this preprocessing has. */
export function inputWidth(preprocessing: Preprocessing): number {
  const bends = preprocessing.hinges?.length ?? 0;
  return scoreWidth(preprocessing) + bends * preprocessing.featureNames.length;
}

/** How many scores and flags a row has. */
export function scoreWidth({ featureNames, flags }: Preprocessing): number {
  return featureNames.length + flags.filter(Boolean).length;
}

/** Hinges are scaled to about the spread of the scores. */
export const HINGE_SCALE = 0.7;

/** The inputs of rows of scores and flags: these, then each score's hinges. Row-major. */
export function inputsOf(preprocessing: Preprocessing, scores: Float32Array): Float32Array {
  const { hinges = [], featureNames } = preprocessing;
  if (hinges.length === 0) {
    return scores;
  }
  const from = scoreWidth(preprocessing);
  const width = inputWidth(preprocessing);
  const bends = Float32Array.from(hinges);
  const rows = scores.length / from;
  const inputs = new Float32Array(rows * width);
  let [source, at] = [0, 0];
  for (let row = 0; row < rows; row++) {
    let hinge = at + from;
    for (let column = 0; column < from; column++) {
      const score = scores[source++] ?? 0;
      inputs[at++] = score;
      if (column < featureNames.length) {
        // Bends ascend: where a score is below one, all further hinges of it stay 0.
        for (let bend = 0; bend < bends.length && score > (bends[bend] ?? 0); bend++) {
          inputs[hinge + bend] = HINGE_SCALE * (score - (bends[bend] ?? 0));
        }
        hinge += bends.length;
      }
    }
    at = hinge;
  }
  return inputs;
}

/** Where the preprocessing's features stand among the given names. Throws where one is missing. */
export function columnsAmong(
  preprocessing: Preprocessing,
  featureNames: readonly string[],
): Int32Array {
  return columnsNamed(preprocessing.featureNames, featureNames);
}

/**
 * Writes the scores and flags of one row into `inputs` (at `to`); `features` holds the row from `from` on,
 * the preprocessing's features at `columns`.
 */
export function writeScores(
  preprocessing: Preprocessing,
  columns: Int32Array,
  features: Float32Array,
  from: number,
  inputs: Float32Array,
  to: number,
): void {
  const width = preprocessing.featureNames.length;
  let flag = to + width;
  for (let column = 0; column < width; column++) {
    const value = features[from + (columns[column] ?? 0)] ?? Number.NaN;
    const isUnknown = Number.isNaN(value);
    inputs[to + column] = isUnknown
      ? 0
      : interpolate(preprocessing.knots[column] ?? [], preprocessing.scores[column] ?? [], value);
    if (preprocessing.flags[column] === true) {
      inputs[flag++] = isUnknown ? 1 : 0;
    }
  }
}

/** The scores and flags of every row, row-major. */
export function scoreMatrix(preprocessing: Preprocessing, dataset: Dataset): Float32Array {
  const width = scoreWidth(preprocessing);
  const columns = columnsAmong(preprocessing, dataset.featureNames);
  const inputs = new Float32Array(dataset.rows * width);
  for (let row = 0; row < dataset.rows; row++) {
    writeScores(
      preprocessing,
      columns,
      dataset.features,
      row * dataset.featureNames.length,
      inputs,
      row * width,
    );
  }
  return inputs;
}

/** Distinct quantiles of ascending values, each with the normal score of its mean rank. */
function quantileKnots(sorted: Float64Array): { knots: number[]; scores: number[] } {
  const knots: number[] = [];
  const scores: number[] = [];
  const n = sorted.length;
  if (n === 0 || sorted[0] === sorted[n - 1]) {
    return { knots, scores };
  }
  for (let index = 0; index <= KNOTS; index++) {
    const value = sorted[Math.round((index / KNOTS) * (n - 1))] ?? 0;
    if (knots.length === 0 || value > (knots[knots.length - 1] ?? 0)) {
      const rank = (lowerBound(sorted, value) + lowerBound(sorted, value, true)) / 2;
      knots.push(value);
      scores.push(normalQuantile(Math.min(0.999, Math.max(0.001, rank / n))));
    }
  }
  return { knots, scores };
}

function interpolate(knots: readonly number[], scores: readonly number[], value: number): number {
  const last = knots.length - 1;
  if (last < 0) {
    return 0;
  }
  if (value <= (knots[0] ?? 0)) {
    return scores[0] ?? 0;
  }
  if (value >= (knots[last] ?? 0)) {
    return scores[last] ?? 0;
  }
  const left = lastBelow(knots, value);
  const [x0, x1] = [knots[left] ?? 0, knots[left + 1] ?? 0];
  const [y0, y1] = [scores[left] ?? 0, scores[left + 1] ?? 0];
  return y0 + ((y1 - y0) * (value - x0)) / (x1 - x0);
}

/** The last knot below a value that is above the first, by halving without a branch for the processor to guess. */
function lastBelow(knots: readonly number[], value: number): number {
  let left = 0;
  for (let count = knots.length; count > 1; ) {
    const half = count >> 1;
    left += half * Number((knots[left + half] ?? 0) < value);
    count -= half;
  }
  return left;
}

/** The inverse normal distribution function, to 1e-9 (Acklam 2003, "An algorithm for computing the inverse normal CDF"). */
export function normalQuantile(p: number): number {
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
    2.506628277459239,
  ];
  const b = [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
    -13.28068155288572, 1,
  ];
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
    4.374664141464968, 2.938163982698783,
  ];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
  const polynomial = (coefficients: readonly number[], x: number): number =>
    coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(c, q) / polynomial(d, q);
  }
  if (p > 1 - 0.02425) {
    return -normalQuantile(1 - p);
  }
  const q = p - 0.5;
  return (q * polynomial(a, q * q)) / polynomial(b, q * q);
}
