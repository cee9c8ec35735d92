import type { GapStatistic } from "./aggregation.ts";
import type { Condition, Row } from "./condition.ts";
import type { FeatureView, Measure } from "./feature-view.ts";
import { Gaps } from "./gap-values.ts";
import type { Relation } from "./relation.ts";

/** Rows of a view of one entity, in order of `at_ms`; those that meet a condition are looked for once. */
export interface ViewRows {
  readonly all: readonly Row[];
  /** A statistic of the gaps between the rows, unscaled; null is unknown. */
  gap(statistic: GapStatistic): number | null;
  where(condition: Condition | undefined): readonly Row[];
}

/** Rows of a view that grow by what happens next. */
export interface GrowingViewRows extends ViewRows {
  /** Counts one more row of the relation, whose `at_ms` is that of no row before it or later. */
  add(row: Row): void;
}

/** A view's rows of one entity, from the rows of its relation that are the entity's. */
export function viewRows(
  view: FeatureView,
  relation: Relation,
  rows: readonly Row[],
): GrowingViewRows {
  return view.per === undefined ? new PlainRows(view, rows) : new GrainRows(view, relation, rows);
}

/** No rows at all. */
export const NO_ROWS: ViewRows = { all: [], gap: () => null, where: () => [] };

abstract class KeptRows implements GrowingViewRows {
  protected readonly chosen = new Map<Condition, Row[]>();
  readonly #gap: string | undefined;
  #gaps: Gaps | undefined;

  constructor({ gap }: FeatureView) {
    this.#gap = gap;
  }

  abstract get all(): readonly Row[];

  abstract add(row: Row): void;

  gap(statistic: GapStatistic): number | null {
    const gap = this.#gap;
    if (gap === undefined) {
      return null;
    }
    this.#gaps ??= new Gaps(this.all.map((row) => Number(row[gap])));
    return this.#gaps.statistic(statistic);
  }

  where(condition: Condition | undefined): readonly Row[] {
    if (condition === undefined) {
      return this.all;
    }
    const known = this.chosen.get(condition) ?? this.all.filter((row) => condition.test(row));
    this.chosen.set(condition, known);
    return known;
  }

  /** Counts a row that came last: one more, or the one that was last before; any other makes gaps count again. */
  protected countGap(row: Row, place: "new" | "last" | "other"): void {
    if (this.#gaps === undefined || this.#gap === undefined) {
      return;
    }
    const value = Number(row[this.#gap]);
    const isCounted =
      place === "new" ? this.#gaps.append(value) : place === "last" && this.#gaps.moveLast(value);
    if (!isCounted) {
      this.#gaps = undefined;
    }
  }
}

class PlainRows extends KeptRows {
  readonly all: Row[];
  readonly #where: Condition | undefined;

  constructor(view: FeatureView, rows: readonly Row[]) {
    super(view);
    this.#where = view.where;
    this.all = rows.filter((row) => this.#isSeen(row));
  }

  add(row: Row): void {
    if (!this.#isSeen(row)) {
      return;
    }
    this.all.push(row);
    for (const [condition, rows] of this.chosen) {
      if (condition.test(row)) {
        rows.push(row);
      }
    }
    this.countGap(row, "new");
  }

  #isSeen(row: Row): boolean {
    return this.#where?.test(row) !== false;
  }
}

type GrainRow = Record<string, number | string | null> & {
  at_ms: number;
  first_at_ms: number;
  n: number;
  length: number;
};

class GrainRows extends KeptRows {
  readonly all: GrainRow[];
  readonly #view: FeatureView;
  readonly #hasFirstAt: boolean;
  readonly #groups = new Map<string | number, GrainRow>();

  constructor(view: FeatureView, { hasFirstAt }: Relation, rows: readonly Row[]) {
    super(view);
    this.#view = view;
    this.#hasFirstAt = hasFirstAt;
    for (const row of rows) {
      this.#count(row);
    }
    this.all = [...this.#groups.values()].sort((a, b) => a.at_ms - b.at_ms);
  }

  add(row: Row): void {
    const group = this.#count(row);
    if (group === undefined) {
      return;
    }
    const isLast = this.all.at(-1) === group;
    const wasThere = moveToEnd(this.all, group, true);
    for (const [condition, rows] of this.chosen) {
      moveToEnd(rows, group, condition.test(group));
    }
    this.countGap(group, !wasThere ? "new" : isLast ? "last" : "other");
  }

  #count(row: Row): GrainRow | undefined {
    const { where, per = [], measures = [] } = this.#view;
    const key = where?.test(row) === false ? null : keyOf(row, per);
    if (key === null) {
      return undefined;
    }
    const group = this.#groups.get(key) ?? newGroup(row, per, measures);
    this.#groups.set(key, group);
    addRow(group, row, measures, this.#hasFirstAt);
    return group;
  }
}

/** Takes a row out of others, where it is there, and puts it last, if it is to stay; says whether it was there. */
function moveToEnd<T>(rows: T[], row: T, stays: boolean): boolean {
  const place = rows.lastIndexOf(row);
  if (place !== -1) {
    rows.splice(place, 1);
  }
  if (stays) {
    rows.push(row);
  }
  return place !== -1;
}

function newGroup(row: Row, per: readonly string[], measures: readonly Measure[]): GrainRow {
  const at = Number(row["at_ms"]);
  const group: GrainRow = { at_ms: at, first_at_ms: Number.POSITIVE_INFINITY, n: 0, length: 0 };
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
  group.length = group.at_ms - group.first_at_ms;
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
