import { DAY_MS } from "../base/index.ts";
import type { Aggregation, GapStatistic, Selection } from "./aggregation.ts";
import { isKnown } from "./condition.ts";
import type { Dialect } from "./dialect.ts";
import { windowMs } from "./window.ts";

/** What a view tells its aggregations. */
export interface AggregationContext {
  readonly dialect: Dialect;
  /** SQL of the cutoff in epoch ms. */
  readonly cutoff: string;
  /** The column of a row's earliest instant. */
  readonly firstAt: string;
  /** How many units of a column make one; columns of exact sums are whole numbers of small units. */
  scaleOf(column: string): number;
  /** How many units of a gap make a day. */
  readonly gapScale: number;
  /** The column that gaps are between. */
  readonly gapOver: string;
  /** Whether two rows may be of the same instant. */
  readonly hasTies: boolean;
  /** A test of the rows that are seen; all of them unless said. */
  readonly seen?: string;
  /** Under which name the rows have a column, where it is another. */
  readonly columnOf?: (column: string) => string;
}

/** The aggregate as SQL over the rows of one entity: the columns of the view's grain, and `gap`. */
export function aggregateSql(aggregation: Aggregation, context: AggregationContext): string {
  if ("of" in aggregation) {
    return aggregation.kind === "share"
      ? shareSql(aggregation, context)
      : columnSql(aggregation, context);
  }
  switch (aggregation.kind) {
    case "count":
      return countSql(aggregation, context);
    case "share_of_all": {
      const count = countSql(aggregation, context);
      return `CAST(${count} AS DOUBLE) / nullif(sum(${count}) OVER (), 0)`;
    }
    case "days_since_last":
      return daysSinceSql(`max(${chosenSql("at_ms", aggregation, context)})`, context);
    case "days_since_first":
      return daysSinceSql(`min(${chosenSql(context.firstAt, aggregation, context)})`, context);
    case "gap":
      return gapSql(aggregation.statistic, context);
  }
}

function countSql(selection: Selection, context: AggregationContext): string {
  const test = testSql(selection, context);
  return test === undefined ? "count(*)" : `count(CASE WHEN ${test} THEN 1 END)`;
}

type OfColumn = Extract<Aggregation, { readonly of: string }>;

function columnSql(aggregation: OfColumn, context: AggregationContext): string {
  const { kind, of } = aggregation;
  switch (kind) {
    case "sum":
      return scaled(`sum(${chosenSql(of, aggregation, context, " ELSE 0")})`, of, context);
    case "mean": {
      const chosen = chosenSql(of, aggregation, context);
      return scaled(`sum(${chosen})`, of, context, ` / nullif(count(${chosen}), 0)`);
    }
    case "minimum":
      return scaled(`min(${chosenSql(of, aggregation, context)})`, of, context);
    case "maximum":
      return scaled(`max(${chosenSql(of, aggregation, context)})`, of, context);
    case "last":
      return scaled(lastSql(of, context), of, context);
  }
}

/** Of what happened at the latest instant together, the greatest. */
function lastSql(column: string, context: AggregationContext): string {
  const name = named(column, context);
  if (!context.hasTies) {
    return `max_by(${name}, ${chosenSql("at_ms", {}, context)})`;
  }
  const instant = context.dialect.tuple(named("at_ms", context), name);
  const test = testSql({ where: isKnown(column) }, context);
  return `max_by(${name}, CASE WHEN ${test} THEN ${instant} END)`;
}

function shareSql(
  aggregation: Extract<Aggregation, { readonly kind: "share" }>,
  context: AggregationContext,
): string {
  const { of, within } = aggregation;
  const among = testSql(within === undefined ? {} : { within }, context);
  const test = of.sql(context.dialect, context.columnOf);
  const both = among === undefined ? test : `${among} AND ${test}`;
  const all = among === undefined ? "count(*)" : `nullif(count(CASE WHEN ${among} THEN 1 END), 0)`;
  return `CAST(count(CASE WHEN ${both} THEN 1 END) AS DOUBLE) / ${all}`;
}

function testSql(selection: Selection, context: AggregationContext): string | undefined {
  const { dialect, cutoff, seen, columnOf } = context;
  const tests = [
    ...(selection.where === undefined ? [] : [selection.where.sql(dialect, columnOf)]),
    ...(seen === undefined ? [] : [seen]),
    ...(selection.within === undefined
      ? []
      : [`${named("at_ms", context)} >= ${cutoff} - ${windowMs(selection.within)}`]),
  ];
  return tests.length === 0 ? undefined : tests.join(" AND ");
}

function chosenSql(
  column: string,
  selection: Selection,
  context: AggregationContext,
  otherwise = "",
): string {
  const test = testSql(selection, context);
  const name = named(column, context);
  return test === undefined ? name : `CASE WHEN ${test} THEN ${name}${otherwise} END`;
}

function named(column: string, { columnOf }: AggregationContext): string {
  return columnOf === undefined ? column : columnOf(column);
}

function scaled(sql: string, column: string, context: AggregationContext, more = ""): string {
  const scale = context.scaleOf(column);
  return `CAST(${sql} AS DOUBLE)${more}${scale === 1 ? "" : ` / ${scale}`}`;
}

function daysSinceSql(instant: string, { cutoff }: AggregationContext): string {
  return `CAST(${cutoff} - ${instant} AS DOUBLE) / ${DAY_MS}`;
}

function gapSql(statistic: GapStatistic, context: AggregationContext): string {
  const days = context.gapScale === 1 ? "" : ` / ${context.gapScale}`;
  const gap = chosenSql("gap", {}, context);
  const wide = context.dialect.wide(gap);
  switch (statistic) {
    case "mean":
      return `CAST(sum(${gap}) AS DOUBLE) / nullif(count(${gap}), 0)${days}`;
    case "std":
      // Exact sums until the root, so that no order of rows and no engine shows in the result.
      return `CASE WHEN count(${gap}) > 1 THEN sqrt(CAST(count(${gap}) * sum(${wide} * gap) - sum(${wide}) * sum(${gap}) AS DOUBLE) / (CAST(count(${gap}) AS DOUBLE) * (count(${gap}) - 1)))${days} END`;
    case "median":
      return `CAST(median(${gap}) AS DOUBLE)${days}`;
    case "last": {
      const { dialect, gapOver, hasTies } = context;
      const end = hasTies ? dialect.tuple(gapOver, "-gap") : gapOver;
      return `CAST(max_by(gap, CASE WHEN ${gap} IS NOT NULL THEN ${end} END) AS DOUBLE)${days}`;
    }
    case "max":
      return `CAST(max(${gap}) AS DOUBLE)${days}`;
  }
}
