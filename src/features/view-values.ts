import {
  type ComputeContext,
  computeAggregate,
  type ViewRows,
  viewRows,
} from "./aggregation-values.ts";
import type { Row } from "./condition.ts";
import type { AggregatedFeature, FeatureView, Measure } from "./feature-view.ts";
import type { Relation } from "./relation.ts";
import { contextOf } from "./view-sql.ts";

/** A view made ready to compute in memory. */
export interface PreparedView {
  readonly view: FeatureView;
  readonly features: readonly AggregatedFeature[];
  readonly relation: Relation;
  readonly context: Omit<ComputeContext, "cutoff">;
}

/** A view of the given features over its relation. */
export function prepareView(
  view: FeatureView,
  features: readonly AggregatedFeature[],
  relation: Relation,
): PreparedView {
  return { view, features, relation, context: contextOf(view, relation) };
}

/** A view's rows of one entity, from the rows of its relation that are the entity's. */
export function viewRowsOf({ view, relation }: PreparedView, rows: readonly Row[]): ViewRows {
  const seen = view.per === undefined ? filtered(view, rows) : grainRows(view, relation, rows);
  return viewRows(seen, view.gap === undefined ? [] : gapsOf(seen, view.gap));
}

/** Adds a view's features of one entity to `values`. */
export function addViewValues(
  values: Record<string, number | null>,
  { features, context }: PreparedView,
  rows: ViewRows,
  cutoff: number,
): void {
  const at = { ...context, cutoff };
  for (const { name, aggregation, whenUnknown } of features) {
    values[name] =
      rows.all.length === 0
        ? whenUnknown
        : (computeAggregate(aggregation, rows, at) ?? whenUnknown);
  }
}

function filtered({ where }: FeatureView, rows: readonly Row[]): readonly Row[] {
  return where === undefined ? rows : rows.filter((row) => where.test(row));
}

type GrainRow = Record<string, number | string | null> & {
  at_ms: number;
  first_at_ms: number;
  n: number;
};

function grainRows(view: FeatureView, relation: Relation, rows: readonly Row[]): readonly Row[] {
  const { per = [], measures = [] } = view;
  const groups = new Map<string | number, GrainRow>();
  for (const row of filtered(view, rows)) {
    const key = keyOf(row, per);
    if (key !== null) {
      const group = groups.get(key) ?? newGroup(row, per, measures);
      groups.set(key, group);
      addRow(group, row, measures, relation.hasFirstAt);
    }
  }
  const made = [...groups.values()];
  for (const group of made) {
    group["length"] = group.at_ms - group.first_at_ms;
  }
  return made.sort((a, b) => a.at_ms - b.at_ms);
}

function newGroup(row: Row, per: readonly string[], measures: readonly Measure[]): GrainRow {
  const at = Number(row["at_ms"]);
  const group: GrainRow = { at_ms: at, first_at_ms: Number.POSITIVE_INFINITY, n: 0 };
  for (const column of per) {
    group[column] = row[column] ?? null;
  }
  for (const { name, kind } of measures) {
    group[name] = kind === "last_at" ? null : 0;
  }
  return group;
}

function addRow(
  group: GrainRow,
  row: Row,
  measures: readonly Measure[],
  hasFirstAt: boolean,
): void {
  const at = Number(row["at_ms"]);
  group.n++;
  group.at_ms = Math.max(group.at_ms, at);
  group.first_at_ms = Math.min(group.first_at_ms, hasFirstAt ? Number(row["first_at_ms"]) : at);
  for (const measure of measures) {
    measureRow(group, measure, row, at);
  }
}

function measureRow(
  group: GrainRow,
  { name, kind, of = "", where }: Measure,
  row: Row,
  at: number,
): void {
  if (where !== undefined && !where.test(row)) {
    return;
  }
  const before = group[name] ?? null;
  switch (kind) {
    case "count":
      group[name] = Number(before) + 1;
      break;
    case "sum":
      group[name] = Number(before) + Number(row[of] ?? 0);
      break;
    case "last_at":
      group[name] = before === null ? at : Math.max(Number(before), at);
      break;
  }
}

/** What a row is grouped by; null where any of it is unknown. */
function keyOf(row: Row, columns: readonly string[]): string | number | null {
  const [first = "", ...more] = columns;
  let key = row[first] ?? null;
  for (const column of more) {
    const value = row[column] ?? null;
    key = key === null || value === null ? null : `${key}\u0000${value}`;
  }
  return key;
}

/** Differences between the values of a column in their order. */
function gapsOf(rows: readonly Row[], column: string): number[] {
  const sorted = rows.map((row) => Number(row[column])).sort((a, b) => a - b);
  return sorted.slice(1).map((value, index) => value - (sorted[index] ?? 0));
}
