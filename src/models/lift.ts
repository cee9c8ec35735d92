import type { Dataset } from "./dataset.ts";
import { probabilityWithin } from "./distribution.ts";
import { keptAfterPruning } from "./metrics.ts";

/** The share of rows at the top that a marketer would address. */
export const TOP_SHARES = [0.01, 0.05, 0.1] as const;

/** How one week's most probable rows fared. */
export interface WeekLift {
  /** 1 is the first week. */
  readonly week: number;
  readonly top: number;
  /** The share of them that bought in that week. */
  readonly hitRate: number;
  /** Hit rate over the share of all rows that bought in it; NaN where nobody did. */
  readonly lift: number;
}

/** Hit rate and lift of each interval's top 1, 5 and 10%, by its own probability. Labels must be complete. */
export function weekLifts(
  dataset: Dataset,
  distribution: Float64Array,
  intervals: number,
): WeekLift[] {
  return Array.from({ length: intervals }, (_, week) => {
    const p = probabilityWithin(distribution, intervals, week, week + 1);
    const y = Uint8Array.from(dataset.events, (event) => (event === week ? 1 : 0));
    const share = y.reduce((sum, value) => sum + value, 0) / Math.max(1, y.length);
    return TOP_SHARES.map((top) => {
      const lift = keptAfterPruning(p, y, 1 - top) / top;
      return { week: week + 1, top, hitRate: share === 0 ? 0 : lift * share, lift };
    });
  }).flat();
}
