import { lowerBound } from "../../base/index.ts";
import { columnsNamed } from "../dataset.ts";

/** Rows of features, row-major; NaN is unknown. */
export interface FeatureRows {
  readonly featureNames: readonly string[];
  readonly rows: number;
  readonly features: Float32Array;
}

/**
 * Piecewise-linear inputs (Gorishniy et al. 2022, "On embeddings for numerical features"): the span between two
 * neighbouring quantiles of a feature is an input that rises from 0 to 1 over it. A feature that was unknown in
 * training rows has one input more, 1 where it is unknown; all others of it are 0 then. Fitted on training rows only.
 */
export interface PiecewiseInputs {
  readonly featureNames: readonly string[];
  /** Per feature: ascending distinct values between which its inputs rise, at least two. */
  readonly edges: readonly (readonly number[])[];
  /** Per feature: whether it has an input for "unknown". */
  readonly flags: readonly boolean[];
  /** Per feature: the median of what is known, which stands for it in a typical row; NaN where most are unknown. */
  readonly typical: readonly number[];
}

const SAMPLE = 50_000;

/** Fits edges on all rows, or on evenly spaced 50,000 of them. Features that never vary are left out. */
export function fitInputs(
  data: FeatureRows,
  bins: number,
  names: readonly string[] = data.featureNames,
): PiecewiseInputs {
  const width = data.featureNames.length;
  const step = Math.max(1, Math.floor(data.rows / SAMPLE));
  const fitted = names.flatMap((name) => {
    const column = data.featureNames.indexOf(name);
    const values: number[] = [];
    let unknown = 0;
    for (let row = 0; row < data.rows; row += step) {
      const value = data.features[row * width + column] ?? Number.NaN;
      if (Number.isNaN(value)) {
        unknown++;
      } else {
        values.push(value);
      }
    }
    const sorted = Float64Array.from(values).sort();
    const edges = edgesOf(sorted, bins);
    const median = sorted[sorted.length >> 1] ?? Number.NaN;
    const typical = unknown > values.length ? Number.NaN : median;
    return edges.length < 2 ? [] : [{ name, edges, flag: unknown > 0, typical }];
  });
  return {
    featureNames: fitted.map(({ name }) => name),
    edges: fitted.map(({ edges }) => edges),
    flags: fitted.map(({ flag }) => flag),
    typical: fitted.map(({ typical }) => typical),
  };
}

/**
 * Where the spans of ascending values begin and end. A value that more than one in `bins` share (the 0 of a count, mostly) is
 * an edge with its neighbours, so that an input tells it from all others; the rest has its own quantiles, as many
 * as the root of its share of the rows allows.
 */
function edgesOf(sorted: Float64Array, bins: number): number[] {
  const edges = new Set<number>();
  const rest: number[] = [];
  for (let from = 0; from < sorted.length; ) {
    const value = sorted[from] ?? 0;
    const until = lowerBound(sorted, value, true);
    if ((until - from) * bins > sorted.length) {
      for (const near of [sorted[from - 1], value, sorted[until]]) {
        if (near !== undefined) {
          edges.add(near);
        }
      }
    } else {
      for (let copy = from; copy < until; copy++) {
        rest.push(value);
      }
    }
    from = until;
  }
  if (rest.length > 0) {
    const spans = Math.max(2, Math.round(bins * Math.sqrt(rest.length / sorted.length)));
    for (let index = 0; index <= spans; index++) {
      edges.add(rest[Math.round((index / spans) * (rest.length - 1))] ?? 0);
    }
  }
  return [...edges].sort((a, b) => a - b);
}

/** How many inputs there are. */
export function inputWidth({ edges, flags }: PiecewiseInputs): number {
  return edges.reduce((sum, one) => sum + one.length - 1, 0) + flags.filter(Boolean).length;
}

/** Where each feature's inputs begin. */
export function inputOffsets({ edges, flags }: PiecewiseInputs): Int32Array {
  const offsets = new Int32Array(edges.length);
  let at = 0;
  edges.forEach((one, feature) => {
    offsets[feature] = at;
    at += one.length - 1 + (flags[feature] === true ? 1 : 0);
  });
  return offsets;
}

/** In which span a known value lies (the first or last where it is beyond), and how far into it, from 0 to 1. */
export function placeAmong(
  edges: readonly number[],
  value: number,
): { span: number; share: number } {
  const last = edges.length - 2;
  const span = Math.min(last, Math.max(0, lowerBound(edges, value, true) - 1));
  const [low, high] = [edges[span] ?? 0, edges[span + 1] ?? 1];
  return { span, share: Math.min(1, Math.max(0, (value - low) / (high - low))) };
}

const NONE: readonly number[] = [];

/** Writes one row's inputs at `to`; `features` holds its values from `from` on, those of the inputs at `columns`. */
export function writeInputs(
  inputs: PiecewiseInputs,
  columns: Int32Array,
  features: Float32Array,
  from: number,
  target: Float32Array,
  to: number,
): void {
  const { edges, flags } = inputs;
  let at = to;
  for (let feature = 0; feature < edges.length; feature++) {
    const own = edges[feature] ?? NONE;
    const value = features[from + (columns[feature] ?? 0)] ?? Number.NaN;
    writeSpans(own, value, target, at);
    at += own.length - 1;
    if (flags[feature] === true) {
      target[at++] = Number.isNaN(value) ? 1 : 0;
    }
  }
}

/** Writes what one value makes of each span: 1 below it, its share where it lies, 0 above; 0 of an unknown value. */
function writeSpans(
  edges: readonly number[],
  value: number,
  target: Float32Array,
  to: number,
): void {
  const last = edges.length - 1;
  let span = 0;
  for (; span < last && value >= (edges[span + 1] ?? 0); span++) {
    target[to + span] = 1;
  }
  if (span < last) {
    const low = edges[span] ?? 0;
    target[to + span] = value > low ? (value - low) / ((edges[span + 1] ?? 0) - low) : 0;
    span++;
  }
  for (; span < last; span++) {
    target[to + span] = 0;
  }
}

/** Where the inputs' features stand among the given names. Throws `conflict` where one is missing. */
export function columnsOf(inputs: PiecewiseInputs, names: readonly string[]): Int32Array {
  return columnsNamed(inputs.featureNames, names);
}
