/** What follows from a distribution over weeks (and, last, later or never). */
export interface Outlook {
  readonly withinFourWeeks: number;
  readonly laterOrNever: number;
  /** The mean week (1 is the first) of those who buy within the horizon; null where nobody does. */
  readonly expectedWeek: number | null;
  /** The shortest run of weeks that holds 80% of the probability of buying within the horizon; null as above. */
  readonly window: { readonly fromWeek: number; readonly toWeek: number } | null;
}

const SOON_WEEKS = 4;
const WINDOW_SHARE = 0.8;

/** The outlook of one pair; of two windows as short, the earlier. */
export function outlookOf(probabilities: readonly number[]): Outlook {
  const weeks = probabilities.slice(0, -1);
  const total = sumOf(weeks);
  return {
    withinFourWeeks: sumOf(weeks.slice(0, SOON_WEEKS)),
    laterOrNever: probabilities.at(-1) ?? 1,
    expectedWeek: total > 0 ? meanWeek(weeks, total) : null,
    window: total > 0 ? windowOf(weeks, WINDOW_SHARE * total) : null,
  };
}

/** Rounding does not carry it beyond the last week. */
function meanWeek(weeks: readonly number[], total: number): number {
  return Math.min(weeks.length, sumOf(weeks.map((p, week) => p * (week + 1))) / total);
}

function windowOf(weeks: readonly number[], mass: number): NonNullable<Outlook["window"]> {
  for (let length = 1; length < weeks.length; length++) {
    for (let from = 0; from + length <= weeks.length; from++) {
      if (sumOf(weeks.slice(from, from + length)) >= mass - 1e-12) {
        return { fromWeek: from + 1, toWeek: from + length };
      }
    }
  }
  return { fromWeek: 1, toWeek: weeks.length };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/**
 * The distribution as of `days` (at least 0) later, if there was no order until then: over as many weeks as
 * before, from the new instant on, and last later or never. What is left is scaled up, as the hazards say; a
 * week's share lies evenly over its days. Of the last weeks only the part within the old horizon is told apart
 * from later. After a silence of a and then b days it is as after a + b, up to whole weeks of a.
 */
export function afterSilence(probabilities: readonly number[], days: number): number[] {
  const intervals = probabilities.length - 1;
  const passed = Math.min(intervals, Math.floor(days / 7));
  // What is left may be next to nothing: sums of it alone, over its greatest, keep their digits.
  const greatest = Math.max(...probabilities.slice(passed));
  if (greatest <= 0) {
    return probabilities.map((_, week) => (week === intervals ? 1 : 0));
  }
  const rest = probabilities.map((p, week) => (week < passed ? 0 : p / greatest));
  const within = (from: number, to: number): number =>
    sumOf(
      rest.slice(0, intervals).map((p, week) => {
        const overlap = Math.min(to, 7 * (week + 1)) - Math.max(from, 7 * week);
        return (p * Math.max(0, overlap)) / 7;
      }),
    );
  const later = rest[intervals] ?? 0;
  const left = within(days, 7 * intervals) + later;
  const weeks = Array.from(
    { length: intervals },
    (_, week) => within(days + 7 * week, days + 7 * (week + 1)) / left,
  );
  return [...weeks, later / left];
}
