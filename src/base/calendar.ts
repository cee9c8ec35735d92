import { toIso } from "./clock.ts";
import { ServiceError } from "./errors.ts";

export const DAY_MS = 86_400_000;
export const WEEK_MS = 7 * DAY_MS;

/** An ISO 8601 week in UTC: half-open, from Monday 00:00 (`start`) to the next Monday (`end`). */
export interface IsoWeek {
  /** Such as `2011-W50`. */
  readonly id: string;
  readonly start: number;
  readonly end: number;
}

/** The start of the UTC day that holds the instant. */
export function dayStart(instant: number): number {
  return Math.floor(instant / DAY_MS) * DAY_MS;
}

/** The ISO week that holds the instant. */
export function isoWeekOf(instant: number): IsoWeek {
  const day = Math.floor(instant / DAY_MS);
  // 1970-01-01 was a Thursday: day 0 is the fourth day of its week.
  const monday = day - ((((day + 3) % 7) + 7) % 7);
  const thursday = new Date((monday + 3) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / WEEK_MS) + 1;
  const start = monday * DAY_MS;
  return { id: `${year}-W${String(week).padStart(2, "0")}`, start, end: start + WEEK_MS };
}

/** `count` consecutive ISO weeks, the first being the one that holds the instant. */
export function isoWeeksFrom(instant: number, count: number): IsoWeek[] {
  const first = isoWeekOf(instant).start;
  return Array.from({ length: count }, (_, index) => isoWeekOf(first + index * WEEK_MS));
}

/**
 * An instant from ISO 8601 text: a date (`2011-09-17`, its first moment in UTC) or a date-time with
 * a zone. A date-time without a zone is refused, since it would depend on the machine.
 */
export function parseInstant(text: string, field: string): number {
  const dateOnly = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const zoned = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})$/.test(
    text,
  );
  const instant = dateOnly || zoned ? Date.parse(text) : Number.NaN;
  const realDay = Number.isNaN(instant) || !dateOnly || toIso(instant).startsWith(text);
  if (Number.isNaN(instant) || !realDay) {
    throw new ServiceError(
      "invalid-input",
      `${field}: expected a date such as 2011-09-17 or an instant with a zone such as 2011-09-17T08:00:00Z, got "${text}"`,
      { field },
    );
  }
  return instant;
}
