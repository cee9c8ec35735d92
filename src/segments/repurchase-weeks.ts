import { type IsoWeek, isoWeeksFrom, WEEK_MS } from "../base/index.ts";

/** A calendar week and the part of it that a prediction still covers, as days since `asOf`. */
export interface CoveredWeek extends IsoWeek {
  readonly fromDays: number;
  readonly toDays: number;
}

/**
 * The ISO weeks that a prediction of `intervals` weeks from `asOf` covers, as many as it has
 * intervals: the first is the week that holds `asOf`, of which only the rest counts.
 */
export function coveredWeeks(asOf: number, intervals: number): CoveredWeek[] {
  return isoWeeksFrom(asOf, intervals).map((week) => ({
    ...week,
    fromDays: Math.max(0, week.start - asOf) / 86_400_000,
    toDays: (week.end - asOf) / 86_400_000,
  }));
}

/**
 * P(next purchase in a calendar week), from probabilities per seven days since `asOf`: each interval's
 * share is spread evenly over its days.
 */
export function weekProbability(probabilities: readonly number[], week: CoveredWeek): number {
  const days = WEEK_MS / 86_400_000;
  let sum = 0;
  for (let k = 0; k < probabilities.length - 1; k++) {
    const overlap = Math.min(week.toDays, (k + 1) * days) - Math.max(week.fromDays, k * days);
    sum += (probabilities[k] ?? 0) * Math.max(0, overlap / days);
  }
  return sum;
}
