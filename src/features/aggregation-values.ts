import { DAY_MS } from "../base/index.ts";
import type { Aggregation, Selection } from "./aggregation.ts";
import type { AggregationContext } from "./aggregation-sql.ts";
import type { Row } from "./condition.ts";
import type { ViewRows } from "./view-rows.ts";
import { windowMs } from "./window.ts";

/** What `computeAggregate` needs of a view. */
export type ComputeContext = Pick<
  AggregationContext,
  "firstAt" | "scaleOf" | "gapScale" | "gapOver"
> & { readonly cutoff: number };

/** The aggregate of aggregation-sql.ts over rows in memory. Null is unknown. */
export function computeAggregate(
  aggregation: Aggregation,
  rows: ViewRows,
  context: ComputeContext,
): number | null {
  const { cutoff } = context;
  if ("of" in aggregation) {
    return aggregation.kind === "share"
      ? shareOf(aggregation, rows, cutoff)
      : scaled(columnValue(aggregation, rows, cutoff), context.scaleOf(aggregation.of));
  }
  switch (aggregation.kind) {
    case "count": {
      const chosen = rows.where(aggregation.where);
      return chosen.length - firstWithin(chosen, aggregation, cutoff);
    }
    case "share_of_all":
      throw new Error("a share of the population is not made of one customer's rows");
    case "days_since_last": {
      const chosen = rows.where(aggregation.where);
      return daysBefore(cutoff, numberOf(chosen.at(-1), "at_ms"));
    }
    case "days_since_first": {
      const chosen = rows.where(aggregation.where);
      return daysBefore(cutoff, greatest(chosen, 0, context.firstAt, -1));
    }
    case "gap":
      return scaled(rows.gap(aggregation.statistic), context.gapScale);
  }
}

function scaled(value: number | null, scale: number): number | null {
  return value === null ? null : value / scale;
}

function daysBefore(cutoff: number, at: number | null): number | null {
  return at === null ? null : (cutoff - at) / DAY_MS;
}

function numberOf(row: Row | undefined, column: string): number | null {
  const value = row?.[column];
  return typeof value === "number" ? value : null;
}

/** The index of the first row within the window; of all rows without one. */
function firstWithin(rows: readonly Row[], { within }: Selection, cutoff: number): number {
  if (within === undefined) {
    return 0;
  }
  const since = cutoff - windowMs(within);
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Number(rows[middle]?.["at_ms"]) < since) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

type OfColumn = Extract<Aggregation, { readonly of: string }>;

function columnValue(aggregation: OfColumn, rows: ViewRows, cutoff: number): number | null {
  if (aggregation.kind === "last") {
    return lastOf(rows.all, aggregation.of);
  }
  const chosen = rows.where(aggregation.where);
  const first = firstWithin(chosen, aggregation, cutoff);
  switch (aggregation.kind) {
    case "sum":
      return sumOf(chosen, first, aggregation.of).sum;
    case "mean": {
      const { sum, count } = sumOf(chosen, first, aggregation.of);
      return count === 0 ? null : sum / count;
    }
    case "minimum":
      return greatest(chosen, first, aggregation.of, -1);
    case "maximum":
      return greatest(chosen, first, aggregation.of, 1);
  }
}

function shareOf(
  aggregation: Extract<Aggregation, { readonly kind: "share" }>,
  rows: ViewRows,
  cutoff: number,
): number | null {
  const { of, within } = aggregation;
  const selection = within === undefined ? {} : { within };
  const all = rows.all.length - firstWithin(rows.all, selection, cutoff);
  const both = rows.where(of);
  return all === 0 ? null : (both.length - firstWithin(both, selection, cutoff)) / all;
}

function sumOf(
  rows: readonly Row[],
  first: number,
  column: string,
): { readonly sum: number; readonly count: number } {
  let sum = 0;
  let count = 0;
  for (let index = first; index < rows.length; index++) {
    const value = rows[index]?.[column];
    if (typeof value === "number") {
      sum += value;
      count++;
    }
  }
  return { sum, count };
}

/** The greatest value (the least, where the sign is -1); null without any. */
function greatest(
  rows: readonly Row[],
  first: number,
  column: string,
  sign: 1 | -1,
): number | null {
  // A number throughout: one that may be null is put on the heap each time.
  let found = Number.NaN;
  for (let index = first; index < rows.length; index++) {
    const value = rows[index]?.[column];
    if (typeof value === "number" && !(value * sign <= found * sign)) {
      found = value;
    }
  }
  return Number.isNaN(found) ? null : found;
}

/** Of what happened at the latest instant together, the greatest. */
function lastOf(rows: readonly Row[], column: string): number | null {
  let found: number | null = null;
  let at: Row[string] | undefined;
  for (let index = rows.length - 1; index >= 0; index--) {
    const row = rows[index];
    if (found !== null && row?.["at_ms"] !== at) {
      break;
    }
    const value = numberOf(row, column);
    if (value !== null) {
      found = Math.max(found ?? value, value);
      at = row?.["at_ms"];
    }
  }
  return found;
}
