import { DAY_MS } from "../base/index.ts";
import { aggregateSql } from "./aggregation-sql.ts";
import { type Catalogue, type Needed, neededFor, relationOf } from "./catalogue.ts";
import { FACT_KINDS } from "./fact.ts";
import type { FeatureService } from "./feature-service.ts";
import type { FeatureView } from "./feature-view.ts";
import type { Instants, Relation } from "./relation.ts";
import { relationTables, type Table, withSql } from "./rows-sql.ts";
import { sharedColumn } from "./shared-columns.ts";
import { contextOf, grainedSql, groupedSql, measureSql, viewRowsSql } from "./view-sql.ts";

/** The columns of features that the table may have; DuckDB holds them for every customer of a bucket. */
const MOST_COLUMNS = 160;

/**
 * How many cutoffs may share one pass over the facts for what is needed; 1 where each had better be computed by
 * itself: a cutoff within a day, a view of which that is not known to be the same, too many columns.
 */
export function mostShared(
  { entity, features }: Pick<FeatureService, "entity" | "features">,
  cutoffs: readonly number[],
  catalogue: Catalogue,
): number {
  const { views } = neededFor(features, catalogue);
  const isSound =
    entity === "customer" &&
    cutoffs.every((cutoff) => cutoff % DAY_MS === 0) &&
    views.every(({ view }) => isShareable(view, relationOf(view, catalogue)));
  const count = views.reduce((sum, one) => sum + one.features.length, 0);
  return isSound && count > 0 ? Math.max(1, Math.floor(MOST_COLUMNS / count)) : 1;
}

/** Whether its rows at an earlier cutoff follow from those at a later one; gaps need rows that no cutoff divides. */
function isShareable(view: FeatureView, relation: Relation): boolean {
  const isUndivided = view.per === undefined || view.per.includes("day");
  return (
    view.entity === "customer" && relation.onlyGrows && (view.gap === undefined || isUndivided)
  );
}

/**
 * The query of the table: the features of customers of whom nothing came late at each of these cutoffs (starts of
 * days, in order). `instants` is that of the last one.
 */
export function sharedSql(
  { views }: Needed,
  cutoffs: readonly number[],
  instants: Instants,
  catalogue: Catalogue,
): string {
  const tables = sharedTables(views, cutoffs, instants, catalogue);
  const columns = views.flatMap(({ view, features }) =>
    features.flatMap(({ name }) =>
      cutoffs.map((_, index) => `view_${view.name}.${sharedColumn(name, index)}`),
    ),
  );
  const joins = views.map(
    ({ view }) => `LEFT JOIN view_${view.name} ON view_${view.name}.customer_id = k.customer_id`,
  );
  return `${withSql(tables)}
    SELECT ${["k.customer_id", "k.since_ms", ...columns].join(", ")}
    FROM (SELECT customer_id, min(greatest(occurred_at_ms, known_at_ms)) AS since_ms
          FROM ${instants.visible(FACT_KINDS)} GROUP BY customer_id) k ${joins.join(" ")}`;
}

function sharedTables(
  views: Needed["views"],
  cutoffs: readonly number[],
  instants: Instants,
  catalogue: Catalogue,
): readonly Table[] {
  return [
    ...relationTables(
      views.map(({ view }) => view),
      instants,
      catalogue,
    ),
    ...views.flatMap((one) =>
      sharedViewSql(one, relationOf(one.view, catalogue), cutoffs, instants),
    ),
  ];
}

/** A view's tables; the last has a customer's features at each cutoff, which counts the rows that it sees. */
function sharedViewSql(
  { view, features }: Needed["views"][number],
  relation: Relation,
  cutoffs: readonly number[],
  instants: Instants,
): readonly (readonly [string, string])[] {
  const isDivided = view.per !== undefined && !view.per.includes("day");
  const read = new Set<string>();
  const made = new Set(isDivided ? dividedColumns(view) : []);
  const aggregatesSeeing = (seenAt: (cutoff: number, index: number) => string): string[] =>
    cutoffs.flatMap((cutoff, index) => {
      const context = {
        ...contextOf(view, relation),
        dialect: instants.dialect,
        cutoff: String(cutoff),
        seen: seenAt(cutoff, index),
        columnOf: (column: string): string => {
          read.add(column);
          return made.has(column) ? sharedColumn(column, index) : column;
        },
      };
      return features.map(
        ({ name, aggregation }) =>
          `${aggregateSql(aggregation, context)} AS ${sharedColumn(name, index)}`,
      );
    });
  const aggregates = aggregatesSeeing((cutoff, index) =>
    isDivided ? `${sharedColumn("at_ms", index)} IS NOT NULL` : `at_ms < ${cutoff}`,
  );
  const name = `view_${view.name}`;
  if (!isDivided) {
    const { tables, from } = viewRowsSql(view, relation, instants);
    return [...tables, [name, groupedSql(view, instants, from, aggregates)]];
  }
  const grain = `grain_${view.name}`;
  if (read.size === 0) {
    // Nothing counts but whether there is such a row.
    const first = grainedSql(view, instants, view.relation, ["min(at_ms) AS since_ms"]);
    const counts = aggregatesSeeing((cutoff) => `since_ms < ${cutoff}`);
    return [
      [grain, first],
      [name, groupedSql(view, instants, grain, counts)],
    ];
  }
  return [
    [grain, dividedGrainSql(view, relation, cutoffs, instants, read)],
    [name, groupedSql(view, instants, grain, aggregates)],
  ];
}

function dividedColumns(view: FeatureView): readonly string[] {
  return ["at_ms", "first_at_ms", "length", "n", ...(view.measures ?? []).map(({ name }) => name)];
}

/** Rows of a grain that cutoffs divide: what each column is at each cutoff, null where there is no such row yet. */
function dividedGrainSql(
  view: FeatureView,
  relation: Relation,
  cutoffs: readonly number[],
  instants: Instants,
  read: ReadonlySet<string>,
): string {
  const firstAt = relation.hasFirstAt ? "first_at_ms" : "at_ms";
  const columns = cutoffs.flatMap((cutoff, index) => {
    const seen = `at_ms < ${cutoff}`;
    const last = `max(CASE WHEN ${seen} THEN at_ms END)`;
    const first = `min(CASE WHEN ${seen} THEN ${firstAt} END)`;
    const known: readonly (readonly [string, string])[] = [
      ["at_ms", last],
      ["first_at_ms", first],
      ["length", `${last} - ${first}`],
      ["n", `count(CASE WHEN ${seen} THEN 1 END)`],
      ...(view.measures ?? []).map(
        (measure) => [measure.name, measureSql(measure, instants, seen)] as const,
      ),
    ];
    return known
      .filter(([name]) => name === "at_ms" || read.has(name))
      .map(([name, sql]) => `${sql} AS ${sharedColumn(name, index)}`);
  });
  return grainedSql(view, instants, view.relation, columns);
}
