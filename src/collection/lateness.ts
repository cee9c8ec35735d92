const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

/** How late messages arrive, in classes; each holds what is up to its bound, in milliseconds. */
export const LATENESS = [
  { name: "1 second", atMost: SECOND },
  { name: "10 seconds", atMost: 10 * SECOND },
  { name: "1 minute", atMost: 60 * SECOND },
  { name: "10 minutes", atMost: 600 * SECOND },
  { name: "1 hour", atMost: HOUR },
  { name: "6 hours", atMost: 6 * HOUR },
  { name: "1 day", atMost: DAY },
  { name: "7 days", atMost: 7 * DAY },
  { name: "30 days", atMost: 30 * DAY },
  { name: "later", atMost: Number.POSITIVE_INFINITY },
] as const;

/** The class of what arrived so much after it happened. */
export function latenessClass(milliseconds: number): string {
  return LATENESS.find(({ atMost }) => milliseconds <= atMost)?.name ?? "later";
}
