import { DAY_MS, seededRandom } from "../../src/base/index.ts";
import type { Dataset } from "../../src/models/dataset.ts";
import { sigmoid } from "../../src/models/distribution.ts";

/**
 * Rows of two features, `signal` and `noise`, whose hazard in each of `intervals` intervals is
 * sigmoid(-2.5 + slope × signal); every fifth row is censored after two intervals.
 */
export function hazardRows(rows: number, intervals: number, slope: number, seed = 1): Dataset {
  const random = seededRandom(seed);
  const features = new Float32Array(rows * 2);
  const events = new Int16Array(rows).fill(-1);
  const observed = new Int16Array(rows).fill(intervals);
  for (let row = 0; row < rows; row++) {
    const signal = 2 * random.next() - 1;
    features[row * 2] = signal;
    features[row * 2 + 1] = row % 7 === 0 ? Number.NaN : random.next();
    if (row % 5 === 0) {
      observed[row] = Math.min(2, intervals);
    }
    for (let interval = 0; interval < (observed[row] ?? 0); interval++) {
      if (random.next() < sigmoid(-2.5 + slope * signal)) {
        events[row] = interval;
        break;
      }
    }
  }
  return {
    featureNames: ["signal", "noise"],
    rows,
    features,
    cutoffs: Float64Array.from({ length: rows }, (_, row) => (row % 3) * DAY_MS),
    customers: Int32Array.from({ length: rows }, (_, row) => row >> 1),
    products: [],
    events,
    observed,
  };
}
