import { DAY_MS } from "../base/index.ts";
import type { Aggregation, GapStatistic, Selection } from "./aggregation.ts";
import type { AggregationContext } from "./aggregation-sql.ts";
import type { Row } from "./condition.ts";
import { windowMs } from "./window.ts";

/** What `computeAggregate` needs of a view. */
export type ComputeContext = Pick<
  AggregationContext,
  "firstAt" | "scaleOf" | "gapScale" | "gapOver"
> & { readonly cutoff: number };

/**
 * The aggregate of aggregation-sql.ts over rows in memory; `gaps` are those between the rows, in their order.
 * Null is unknown.
 */
export function computeAggregate(
  aggregation: Aggregation,
  rows: readonly Row[],
  gaps: readonly number[],
  context: ComputeContext,
): number | null {
  const { cutoff } = context;
  if ("of" in aggregation) {
    return aggregation.kind === "share"
      ? shareOf(aggregation, rows, cutoff)
      : scaled(columnValue(aggregation, rows, cutoff), context.scaleOf(aggregation.of));
  }
  switch (aggregation.kind) {
    case "count":
      return countOf(rows, aggregation, cutoff);
    case "days_since_last":
      return daysBefore(cutoff, greatest(rows, "at_ms", aggregation, cutoff, 1));
    case "days_since_first":
      return daysBefore(cutoff, greatest(rows, context.firstAt, aggregation, cutoff, -1));
    case "gap":
      return scaled(gapOf(gaps, aggregation.statistic), context.gapScale);
  }
}

function scaled(value: number | null, scale: number): number | null {
  return value === null ? null : value / scale;
}

function daysBefore(cutoff: number, at: number | null): number | null {
  return at === null ? null : (cutoff - at) / DAY_MS;
}

type OfColumn = Extract<Aggregation, { readonly of: string }>;

function columnValue(aggregation: OfColumn, rows: readonly Row[], cutoff: number): number | null {
  switch (aggregation.kind) {
    case "sum":
      return sumOf(rows, aggregation.of, aggregation, cutoff).sum;
    case "mean": {
      const { sum, count } = sumOf(rows, aggregation.of, aggregation, cutoff);
      return count === 0 ? null : sum / count;
    }
    case "minimum":
      return greatest(rows, aggregation.of, aggregation, cutoff, -1);
    case "maximum":
      return greatest(rows, aggregation.of, aggregation, cutoff, 1);
    case "last":
      return lastOf(rows, aggregation.of);
  }
}

function shareOf(
  { of, within }: Extract<Aggregation, { readonly kind: "share" }>,
  rows: readonly Row[],
  cutoff: number,
): number | null {
  const among = within === undefined ? {} : { within };
  const all = countOf(rows, among, cutoff);
  return all === 0 ? null : countOf(rows, { ...among, where: of }, cutoff) / all;
}

function sees(row: Row, selection: Selection, since: number): boolean {
  return (
    (selection.within === undefined || Number(row["at_ms"]) >= since) &&
    (selection.where === undefined || selection.where.test(row))
  );
}

function sinceOf(selection: Selection, cutoff: number): number {
  return selection.within === undefined ? 0 : cutoff - windowMs(selection.within);
}

function countOf(rows: readonly Row[], selection: Selection, cutoff: number): number {
  const since = sinceOf(selection, cutoff);
  let count = 0;
  for (const row of rows) {
    if (sees(row, selection, since)) {
      count++;
    }
  }
  return count;
}

function sumOf(
  rows: readonly Row[],
  column: string,
  selection: Selection,
  cutoff: number,
): { readonly sum: number; readonly count: number } {
  const since = sinceOf(selection, cutoff);
  let sum = 0;
  let count = 0;
  for (const row of rows) {
    const value = row[column];
    if (typeof value === "number" && sees(row, selection, since)) {
      sum += value;
      count++;
    }
  }
  return { sum, count };
}

/** The greatest value (the least, where the sign is -1); null without any. */
function greatest(
  rows: readonly Row[],
  column: string,
  selection: Selection,
  cutoff: number,
  sign: 1 | -1,
): number | null {
  const since = sinceOf(selection, cutoff);
  let found: number | null = null;
  for (const row of rows) {
    const value = row[column];
    if (
      typeof value === "number" &&
      (found === null || value * sign > found * sign) &&
      sees(row, selection, since)
    ) {
      found = value;
    }
  }
  return found;
}

function lastOf(rows: readonly Row[], column: string): number | null {
  let at = Number.NEGATIVE_INFINITY;
  let found: number | null = null;
  for (const row of rows) {
    const value = row[column];
    if (typeof value === "number" && Number(row["at_ms"]) > at) {
      at = Number(row["at_ms"]);
      found = value;
    }
  }
  return found;
}

function gapOf(gaps: readonly number[], statistic: GapStatistic): number | null {
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
