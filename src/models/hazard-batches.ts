import { type Dataset, seenOf } from "./dataset.ts";
import type { HazardBatch } from "./hazard-loss.ts";

/** Rows to learn from. */
export interface LearningRows {
  readonly dataset: Dataset;
  /** What the input layer is given of each row, row-major. */
  readonly given: Float32Array;
  /** What each row counts; 1 unless told. */
  readonly weights: Float32Array | undefined;
  /** What each interval's term counts besides. */
  readonly termWeights: Float32Array;
}

/** Makes batches of so many rows at most, in the same arrays each time: a batch holds until the next. */
export function openBatches(
  { dataset, given, weights, termWeights }: LearningRows,
  batchSize: number,
): (rows: Int32Array) => HazardBatch {
  const width = given.length / dataset.rows;
  const intervals = termWeights.length;
  const batch = new Float32Array(batchSize * width);
  const happened = new Float32Array(batchSize * intervals);
  const atRisk = new Float32Array(batchSize * intervals);
  return (rows) => {
    happened.fill(0);
    atRisk.fill(0);
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] ?? 0;
      const from = row * width;
      for (let column = 0; column < width; column++) {
        batch[index * width + column] = given[from + column] ?? 0;
      }
      const event = dataset.events[row] ?? -1;
      const seen = seenOf(dataset, row, intervals);
      const weight = weights?.[row] ?? 1;
      const at = index * intervals;
      for (let k = 0; k < seen; k++) {
        const counted = weight * (termWeights[k] ?? 1);
        atRisk[at + k] = counted;
        happened[at + k] = k === event ? counted : 0;
      }
    }
    return {
      rows: rows.length,
      given: batch.subarray(0, rows.length * width),
      happened: happened.subarray(0, rows.length * intervals),
      atRisk: atRisk.subarray(0, rows.length * intervals),
    };
  };
}
