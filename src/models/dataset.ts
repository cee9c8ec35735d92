import { ServiceError } from "../base/index.ts";
import type { FeatureMatrix } from "../features/index.ts";

/** Rows to learn from or to score: a matrix of features and, where known, what happened. */
export interface Dataset extends Omit<FeatureMatrix, "categories"> {
  /** 0-based interval of the first purchase after the cutoff; -1 where none was seen. */
  readonly events: Int16Array;
  /** Whole intervals the data reach after the cutoff; 0 where nothing is known. */
  readonly observed: Int16Array;
  /** How much each row counts, 1 on average, where they are a sample that must be weighted back; 1 each if absent. */
  readonly weights?: Float32Array;
}

/** The rows for which `keep` says so, in their order. */
export function selectRows(dataset: Dataset, keep: (row: number) => boolean): Dataset {
  const kept: number[] = [];
  for (let row = 0; row < dataset.rows; row++) {
    if (keep(row)) {
      kept.push(row);
    }
  }
  const width = dataset.featureNames.length;
  const features = new Float32Array(kept.length * width);
  kept.forEach((row, index) => {
    features.set(dataset.features.subarray(row * width, (row + 1) * width), index * width);
  });
  return {
    featureNames: dataset.featureNames,
    rows: kept.length,
    features,
    cutoffs: Float64Array.from(kept, (row) => dataset.cutoffs[row] ?? 0),
    customers: Int32Array.from(kept, (row) => dataset.customers[row] ?? 0),
    products: dataset.products.length === 0 ? [] : kept.map((row) => dataset.products[row] ?? ""),
    events: Int16Array.from(kept, (row) => dataset.events[row] ?? -1),
    observed: Int16Array.from(kept, (row) => dataset.observed[row] ?? 0),
    ...(dataset.weights === undefined
      ? {}
      : { weights: Float32Array.from(kept, (row) => dataset.weights?.[row] ?? 1) }),
  };
}

/** One feature of every row. Throws where the data set has no such feature. */
export function featureColumn(dataset: Dataset, name: string): Float32Array {
  const index = dataset.featureNames.indexOf(name);
  if (index < 0) {
    throw new Error(`the data set has no feature "${name}"`);
  }
  const width = dataset.featureNames.length;
  return Float32Array.from(
    { length: dataset.rows },
    (_, row) => dataset.features[row * width + index] ?? Number.NaN,
  );
}

/** Where the features that a model reads stand among those of rows. Throws `conflict` where one is missing. */
export function columnsNamed(read: readonly string[], names: readonly string[]): Int32Array {
  return Int32Array.from(read, (name) => {
    const column = names.indexOf(name);
    if (column < 0) {
      throw new ServiceError(
        "conflict",
        `the model reads the feature "${name}", which these rows do not have`,
        { field: name },
      );
    }
    return column;
  });
}

/** How many intervals of a row count: up to its event, else as far as was seen. */
export function seenOf({ events, observed }: Dataset, row: number, intervals: number): number {
  const event = events[row] ?? -1;
  return Math.min(intervals, event >= 0 ? event + 1 : (observed[row] ?? 0));
}
