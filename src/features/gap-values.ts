import type { GapStatistic } from "./aggregation.ts";
import type { Row } from "./condition.ts";

/** Differences between the values of a column in their order. */
export function gapsOf(rows: readonly Row[], column: string): number[] {
  const sorted = rows.map((row) => Number(row[column])).sort((a, b) => a - b);
  return sorted.slice(1).map((value, index) => value - (sorted[index] ?? 0));
}

/** A statistic of gaps (whole numbers); null where there are too few. */
export function gapOf(gaps: readonly number[], statistic: GapStatistic): number | null {
  const count = gaps.length;
  if (count === 0) {
    return null;
  }
  switch (statistic) {
    case "mean":
      return gaps.reduce((sum, gap) => sum + gap, 0) / count;
    case "std":
      return count < 2 ? null : stdOf(gaps);
    case "median": {
      const sorted = [...gaps].sort((a, b) => a - b);
      const [low = 0, high = 0] = [sorted[(count - 1) >> 1], sorted[count >> 1]];
      return (low + high) / 2;
    }
    case "last":
      return gaps[count - 1] ?? null;
    case "max":
      return gaps.reduce((most, gap) => Math.max(most, gap));
  }
}

function stdOf(gaps: readonly number[]): number {
  const count = BigInt(gaps.length);
  let sum = 0n;
  let squares = 0n;
  for (const gap of gaps) {
    const whole = BigInt(gap);
    sum += whole;
    squares += whole * whole;
  }
  const pairs = gaps.length * (gaps.length - 1);
  return Math.sqrt(Number(count * squares - sum * sum) / pairs);
}
