/** The only source of "now". Instants are epoch milliseconds in UTC throughout. */
export interface Clock {
  now(): number;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() };

/** A clock that stands still at an ISO 8601 instant, for tests and reproducible runs. */
export function fixedClock(instant: string): Clock {
  const at = Date.parse(instant);
  return { now: () => at };
}

/** An instant as ISO 8601 in UTC, without milliseconds when they are zero. */
export function toIso(instant: number): string {
  return new Date(instant).toISOString().replace(".000Z", "Z");
}
