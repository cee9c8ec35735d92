import { DAY_MS } from "../base/index.ts";
import { type Catalogue, type Needed, neededFor, relationOf } from "./catalogue.ts";
import { FACT_KINDS } from "./fact.ts";
import type { FeatureService } from "./feature-service.ts";
import type { FeatureView } from "./feature-view.ts";
import type { Instants, Relation } from "./relation.ts";
import { relationTables, type Table, withSql } from "./rows-sql.ts";
import { sharedColumn } from "./shared-columns.ts";
import { isDivided, sharedViewSql } from "./shared-view-sql.ts";

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
  return (
    view.entity === "customer" && relation.onlyGrows && (view.gap === undefined || !isDivided(view))
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
      sharedViewSql(one.view, one.features, relationOf(one.view, catalogue), cutoffs, instants),
    ),
  ];
}
