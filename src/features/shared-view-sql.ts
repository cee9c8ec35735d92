import { aggregateSql } from "./aggregation-sql.ts";
import type { AggregatedFeature, FeatureView } from "./feature-view.ts";
import type { Instants, Relation } from "./relation.ts";
import { sharedColumn } from "./shared-columns.ts";
import {
  contextOf,
  grainBy,
  grainColumns,
  grainedSql,
  groupedSql,
  viewRowsSql,
} from "./view-sql.ts";

type Tables = readonly (readonly [string, string])[];

/** Whether a cutoff at the start of a day may come between the rows of the relation that make one of the view's. */
export function isDivided(view: FeatureView): boolean {
  return view.per !== undefined && !view.per.includes("day");
}

/**
 * A view's common table expressions [name, SQL] for several cutoffs (starts of days, in order) over a relation that only
 * grows; `instants` is that of the last one. The last of them, `view_<name>`, has each feature at each cutoff,
 * named by `sharedColumn`.
 */
export function sharedViewSql(
  view: FeatureView,
  features: readonly AggregatedFeature[],
  relation: Relation,
  cutoffs: readonly number[],
  instants: Instants,
): Tables {
  const made = isDivided(view) ? grainColumns(view, relation, instants).map(([name]) => name) : [];
  const read = new Set<string>();
  const aggregates = (seenAt: (cutoff: number, index: number) => string): string[] =>
    cutoffs.flatMap((cutoff, index) => {
      const context = {
        ...contextOf(view, relation),
        dialect: instants.dialect,
        cutoff: String(cutoff),
        seen: seenAt(cutoff, index),
        columnOf: (column: string): string => {
          read.add(column);
          return made.includes(column) ? sharedColumn(column, index) : column;
        },
      };
      return features.map(
        ({ name, aggregation }) =>
          `${aggregateSql(aggregation, context)} AS ${sharedColumn(name, index)}`,
      );
    });
  const grouped = (from: string, columns: readonly string[]): readonly [string, string] => [
    `view_${view.name}`,
    groupedSql(view, instants, from, columns),
  ];
  if (!isDivided(view)) {
    const { tables, from } = viewRowsSql(view, relation, instants);
    return [
      ...tables,
      grouped(
        from,
        aggregates((cutoff) => `at_ms < ${cutoff}`),
      ),
    ];
  }
  const atEach = aggregates((_, index) => `${sharedColumn("at_ms", index)} IS NOT NULL`);
  if (read.size === 0) {
    // Nothing counts but whether there is such a row.
    const grain = `grain_${view.name}`;
    const first = grainedSql(view, instants, view.relation, ["min(at_ms) AS since_ms"]);
    return [
      [grain, first],
      grouped(
        grain,
        aggregates((cutoff) => `since_ms < ${cutoff}`),
      ),
    ];
  }
  const rows = dividedRowsSql(view, relation, cutoffs, instants, read.add("at_ms"));
  return [...rows, grouped(`shared_${view.name}`, atEach)];
}

/**
 * The rows of a grain with the columns that are read as they are at each cutoff, null before there is such a row;
 * the last table is `shared_<name>`. Most are made of what happened between two cutoffs, and are the same at all.
 */
function dividedRowsSql(
  view: FeatureView,
  relation: Relation,
  cutoffs: readonly number[],
  instants: Instants,
  read: ReadonlySet<string>,
): Tables {
  const [grain, divided, shared] = ["grain", "divided", "shared"].map(
    (what) => `${what}_${view.name}`,
  ) as [string, string, string];
  const by = grainBy(view, instants);
  const columnsSeeing = (seen?: string): Tables =>
    grainColumns(view, relation, instants, seen).filter(([name]) => read.has(name));
  const whole = columnsSeeing();
  const isCut = cutoffs
    .map((cutoff) => `(since_ms < ${cutoff} AND at_ms >= ${cutoff})`)
    .join(" OR ");
  const atEach = cutoffs.flatMap((cutoff, index) =>
    columnsSeeing(`at_ms < ${cutoff}`).map(
      ([name, sql]) => `${sql} AS ${sharedColumn(name, index)}`,
    ),
  );
  const asOfEach = cutoffs.flatMap((cutoff, index) =>
    whole.map(
      ([name]) => `CASE WHEN at_ms < ${cutoff} THEN ${name} END AS ${sharedColumn(name, index)}`,
    ),
  );
  const aggregates = [...whole.map(([name, sql]) => `${sql} AS ${name}`), "min(at_ms) AS since_ms"];
  const from = `(SELECT r.* FROM ${view.relation} r JOIN (SELECT ${by.join(", ")} FROM ${grain} WHERE ${isCut}) g ON ${by
    .map((key) => `g.${key} = r.${key}`)
    .join(" AND ")})`;
  return [
    [grain, grainedSql(view, instants, view.relation, aggregates)],
    [divided, grainedSql(view, instants, from, atEach)],
    [
      shared,
      `SELECT ${[...by, ...asOfEach].join(", ")} FROM ${grain} WHERE NOT (${isCut}) UNION ALL BY NAME SELECT * FROM ${divided}`,
    ],
  ];
}
