import { literal } from "../base/index.ts";
import { DERIVED_FEATURES, FEATURE_VIEWS, featuresNamed } from "./catalogue.ts";
import type { FeatureService } from "./feature-service.ts";
import { ENTITY_KEYS, type FeatureView } from "./feature-view.ts";
import { relationsSql } from "./relations.ts";

/** Whom rows are made for at a cutoff. */
export type Spine =
  | { readonly entity: "pair"; readonly minimumPurchases: number }
  | { readonly entity: "customer"; readonly activeWithinDays: number };

/**
 * What is to be learned: the first purchase after the cutoff, by interval. Intervals are half-open,
 * `count` of them from the cutoff on, `lengthMs` each; what happened or became known at or after
 * `knownBefore` (epoch ms) is not seen.
 */
export interface Label {
  readonly count: number;
  readonly lengthMs: number;
  readonly knownBefore: number;
}

/**
 * The SQL of the rows of one cutoff: `cutoff_ms`, the entity's keys, the service's features as FLOAT
 * (NULL is unknown), and, for each label i, `event_interval_i` (0-based; NULL where none was seen) and
 * `observed_intervals_i` (how many whole intervals the data reach). Ordered by key.
 */
export function featureRowsSql(
  service: FeatureService,
  cutoff: number,
  spine: Spine,
  labels: readonly Label[] = [],
): string {
  const keys = ENTITY_KEYS[service.entity];
  const wanted = featuresNamed(service.features);
  const views = FEATURE_VIEWS.filter(
    (view) => view.entity === "customer" || service.entity === "pair",
  );
  const derived = DERIVED_FEATURES.filter(
    (feature) => service.entity === "pair" || feature.entity === "customer",
  );
  const at = (sql: string): string =>
    sql
      .replaceAll("$cutoff", String(cutoff))
      .replaceAll("$today", String(Math.floor(cutoff / 86_400_000)));
  const viewSql = views.map((view) => `view_${view.name} AS (${at(aggregateSql(view))})`);
  const columns = views.flatMap((view) =>
    view.features.map((feature) =>
      feature.whenUnknown === null
        ? `view_${view.name}.${feature.name}`
        : `coalesce(view_${view.name}.${feature.name}, ${feature.whenUnknown}) AS ${feature.name}`,
    ),
  );
  const joins = views.map(
    (view) => `LEFT JOIN view_${view.name} USING (${ENTITY_KEYS[view.entity].join(", ")})`,
  );
  return `WITH ${relationsSql(cutoff)},
  ${viewSql.join(",\n  ")},
  spine AS (${spineSql(spine, cutoff)}),
  joined AS (
    SELECT ${keys.map((key) => `spine.${key}`).join(", ")}, ${columns.join(", ")}
    FROM spine ${joins.join(" ")}),
  complete AS (SELECT *, ${derived.map((feature) => `${feature.sql} AS ${feature.name}`).join(", ") || "1 AS no_derived"} FROM joined)
  ${labels.map((label, i) => `, label_${i} AS (${labelSql(label, cutoff, keys)})`).join("")}
  SELECT CAST(${cutoff} AS BIGINT) AS cutoff_ms, ${keys.map((key) => `complete.${key}`).join(", ")},
         ${wanted.map((feature) => `CAST(complete.${feature.name} AS FLOAT) AS ${feature.name}`).join(", ")}
         ${labels.map((label, i) => `, label_${i}.event_interval AS event_interval_${i}, ${observedIntervals(label, cutoff)} AS observed_intervals_${i}`).join("")}
  FROM complete ${labels.map((_, i) => `LEFT JOIN label_${i} USING (${keys.join(", ")})`).join(" ")}
  ORDER BY ${keys.map((key) => `complete.${key}`).join(", ")}`;
}

function aggregateSql(view: FeatureView): string {
  const keys = ENTITY_KEYS[view.entity].join(", ");
  const features = view.features.map((feature) => `${feature.sql} AS ${feature.name}`);
  return `SELECT ${keys}, ${features.join(", ")} FROM ${view.relation} GROUP BY ${keys}`;
}

function spineSql(spine: Spine, cutoff: number): string {
  if (spine.entity === "pair") {
    return `SELECT customer_id, product FROM pair WHERE day_count >= ${spine.minimumPurchases}`;
  }
  const since = cutoff - spine.activeWithinDays * 86_400_000;
  return `SELECT customer_id FROM net_line WHERE occurred_at_ms >= ${since}
    UNION SELECT customer_id FROM browsing WHERE occurred_at_ms >= ${since}`;
}

function observedIntervals(label: Label, cutoff: number): number {
  return Math.max(
    0,
    Math.min(label.count, Math.floor((label.knownBefore - cutoff) / label.lengthMs)),
  );
}

function labelSql(label: Label, cutoff: number, keys: readonly string[]): string {
  const end = cutoff + observedIntervals(label, cutoff) * label.lengthMs;
  return `SELECT ${keys.map((key) => `o.${key}`).join(", ")},
      CAST(floor((min(o.occurred_at_ms) - ${cutoff}) / ${label.lengthMs}) AS INTEGER) AS event_interval
    FROM order_line o LEFT JOIN (
      SELECT line_key, sum(quantity) AS quantity FROM refund_line
      WHERE occurred_at_ms < ${label.knownBefore} AND known_at_ms < ${label.knownBefore} GROUP BY line_key
    ) r ON r.line_key = o.line_key
    WHERE o.occurred_at_ms >= ${cutoff} AND o.occurred_at_ms < ${end} AND o.known_at_ms < ${label.knownBefore}
      AND o.quantity - coalesce(r.quantity, 0) > 1e-9
    GROUP BY ${keys.map((key) => `o.${key}`).join(", ")}`;
}

/** A product's group by its source's mapping, as an SQL expression; NULL where the id is no product. */
export function productGroupSql(
  rules: readonly {
    readonly source: string;
    readonly pattern: string;
    readonly groupPattern: string;
    readonly groupCase: "upper" | "lower" | "keep";
  }[],
): string {
  const cases = rules.map((rule) => {
    const matched = `regexp_extract(product_id, ${literal(rule.groupPattern)}, 1)`;
    const group = `CASE WHEN ${matched} = '' THEN product_id ELSE ${matched} END`;
    const cased = rule.groupCase === "keep" ? group : `${rule.groupCase}(${group})`;
    return `WHEN source = ${literal(rule.source)} AND regexp_matches(product_id, ${literal(rule.pattern)}) THEN ${cased}`;
  });
  return cases.length === 0 ? "CAST(NULL AS VARCHAR)" : `CASE ${cases.join(" ")} END`;
}
