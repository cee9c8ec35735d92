import { bootstrap, type Interval } from "../../src/models/evaluate.ts";
import { averagePrecision, keptAfterPruning, logLoss, rocAuc } from "../../src/models/metrics.ts";
import type { Judged } from "./judge.ts";

const STATISTICS = {
  auc: rocAuc,
  average_precision: averagePrecision,
  log_loss: logLoss,
  kept_40: (p: Float64Array, y: Float64Array): number => keptAfterPruning(p, y, 0.4),
} as const;

/** A figure with its 95% interval over resamples of whole customers. */
export function intervalOf(name: keyof typeof STATISTICS, judged: Judged): Interval {
  return bootstrap(judged.customers, 1, (weights) => {
    const rows = drawnRows(weights);
    return STATISTICS[name](take(judged.p, rows), take(judged.y, rows));
  });
}

/** How much one system's figure is above another's on the same rows, with its 95% interval over customers. */
export function differenceOf(
  name: keyof typeof STATISTICS,
  ours: Judged,
  theirs: Judged,
): Interval {
  return bootstrap(ours.customers, 1, (weights) => {
    const rows = drawnRows(weights);
    const y = take(ours.y, rows);
    return STATISTICS[name](take(ours.p, rows), y) - STATISTICS[name](take(theirs.p, rows), y);
  });
}

/** Each row as often as it was drawn. */
function drawnRows(weights: Float64Array): Int32Array {
  const rows: number[] = [];
  weights.forEach((weight, row) => {
    for (let copy = 0; copy < weight; copy++) {
      rows.push(row);
    }
  });
  return Int32Array.from(rows);
}

function take(values: ArrayLike<number>, rows: Int32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row] ?? 0);
}
