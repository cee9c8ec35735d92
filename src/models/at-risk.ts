import type { Dataset } from "./dataset.ts";

/**
 * Calls `visit(row, interval, happened, weight)` for every interval in which a row was at risk and observed;
 * the weight is the row's.
 */
export function eachAtRisk(
  dataset: Pick<Dataset, "rows" | "events" | "observed" | "weights">,
  intervals: number,
  visit: (row: number, interval: number, happened: boolean, weight: number) => void,
): void {
  for (let row = 0; row < dataset.rows; row++) {
    const event = dataset.events[row] ?? -1;
    const weight = dataset.weights?.[row] ?? 1;
    const seen = Math.min(intervals, event >= 0 ? event + 1 : (dataset.observed[row] ?? 0));
    for (let interval = 0; interval < seen; interval++) {
      visit(row, interval, interval === event, weight);
    }
  }
}
