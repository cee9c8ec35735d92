import { type ComputeContext, computeAggregate } from "./aggregation-values.ts";
import type { AggregatedFeature, FeatureView } from "./feature-view.ts";
import type { Relation } from "./relation.ts";
import type { ViewRows } from "./view-rows.ts";
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
