import { DAY_MS } from "../base/index.ts";
import { CATALOGUE, type Catalogue, type Needed, neededFor, relationOf } from "./catalogue.ts";
import { FACT_KINDS } from "./fact.ts";
import type { FeatureService, RowEntity } from "./feature-service.ts";
import {
  type AggregatedFeature,
  type DerivedFeature,
  ENTITY_KEYS,
  type FeatureView,
  isPopulation,
} from "./feature-view.ts";
import { atCutoff } from "./instants.ts";
import type { Instants } from "./relation.ts";
import { SHARED, sharedColumn } from "./shared-columns.ts";
import { keysOf, viewSql } from "./view-sql.ts";

/** Whom rows are made for at a cutoff: everybody, or those that did so and so much lately. */
export type Spine = ModelSpine | { readonly entity: Exclude<RowEntity, "pair"> };

/** Whom a model is for. */
export type ModelSpine =
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

/** A common table expression. */
export type Table = readonly [name: string, sql: string];

/** How the rows of a cutoff are asked for. */
export interface CutoffRows {
  readonly service: FeatureService;
  readonly cutoff: number;
  readonly spine: Spine;
  readonly labels?: readonly Label[];
  /** The cutoff's place in the table `shared_customer`, where the features lie there. */
  readonly sharedIndex?: number;
  /** Whether population features lie in tables made by `populationSql`, because the facts at hand are not everybody's. */
  readonly hasPopulationApart?: boolean;
}

/**
 * The SQL of the rows of one cutoff over the table `fact`: `cutoff_ms`, the entity's keys, the service's
 * features as DOUBLE (NULL is unknown), and, for each label i, `event_interval_i` (0-based; NULL where none
 * was seen) and `observed_intervals_i` (how many whole intervals the data reach).
 */
export function cutoffRowsSql(
  rows: CutoffRows,
  instants: Instants,
  catalogue: Catalogue = CATALOGUE,
): string {
  const { tables, select } = cutoffRowsParts(rows, instants, catalogue);
  return `${withSql(tables)} ${select}`;
}

/** The same in parts, for an engine that keeps some of the tables: each reads only what stands before it, the query any. */
export function cutoffRowsParts(
  { service, cutoff, spine, labels = [], hasPopulationApart = false, sharedIndex }: CutoffRows,
  instants: Instants,
  catalogue: Catalogue = CATALOGUE,
): { readonly tables: readonly Table[]; readonly select: string } {
  const keys = ENTITY_KEYS[service.entity];
  const needed = neededFor(service.features, catalogue);
  const isApart = hasPopulationApart || cutoff % DAY_MS !== 0;
  const isShared = sharedIndex !== undefined;
  const here = needed.views.filter(
    ({ view }) => !isShared && !(isApart && isPopulation(view.entity)),
  );
  const spineOf = spine.entity === "customer" ? [] : [{ name: "spine", relation: "purchase" }];
  const isPart = spine.entity === "pair" || "activeWithinDays" in spine;
  const complete = derivedTables(needed.derived, instants.cutoff);
  const tables: Table[] = [
    ...relationTables([...here.map(({ view }) => view), ...spineOf], instants, catalogue),
    [
      "spine",
      `SELECT *, CAST(${cutoff - (cutoff % DAY_MS)} AS BIGINT) AS day_ms FROM (${spineSql(spine, cutoff, instants)}) someone`,
    ],
    ...here.flatMap((one) =>
      viewTables(one, instants, catalogue, isPart && one.view.entity === spine.entity),
    ),
    [
      "joined",
      isShared
        ? sharedSql(needed, sharedIndex, isEverybody(spine) ? sharedSpine(cutoff) : undefined)
        : joinedSql(needed, keys, instants, isApart ? populationTableName : viewTableName),
    ],
    ...complete,
    ...labels.map((label, index): Table => [`label_${index}`, labelSql(label, cutoff, keys)]),
  ];
  const columns = [
    `CAST(${cutoff} AS BIGINT) AS cutoff_ms`,
    ...keys.map((key) => `c.${key}`),
    ...service.features.map((name) => `CAST(c.${name} AS DOUBLE) AS ${name}`),
    ...labels.flatMap((label, index) => [
      `label_${index}.event_interval AS event_interval_${index}`,
      `${observedIntervals(label, cutoff)} AS observed_intervals_${index}`,
    ]),
  ];
  const joins = labels.map(
    (_, index) =>
      `LEFT JOIN label_${index} ON ${keys.map((key) => `label_${index}.${key} = c.${key}`).join(" AND ")}`,
  );
  const select = `SELECT ${columns.join(", ")} FROM ${complete.at(-1)?.[0] ?? "joined"} c ${joins.join(" ")}`;
  return { tables, select };
}

/**
 * The SQL of the features of the rows in the table `spine_row` (`row_number`, the entity's keys and
 * `cutoff_ms`), each at its own instant, in no order. Population features come from tables made by
 * `populationSql`, one row per entity and `day_ms`.
 */
export function eachRowSql(
  service: FeatureService,
  instants: Instants,
  catalogue: Catalogue = CATALOGUE,
): string {
  const needed = neededFor(service.features, catalogue);
  const own = needed.views.filter(({ view }) => !isPopulation(view.entity));
  const keys = ["row_number", ...ENTITY_KEYS[service.entity], "cutoff_ms"];
  const complete = derivedTables(needed.derived, instants.cutoff);
  const tables: Table[] = [
    ...relationTables(
      own.map(({ view }) => view),
      instants,
      catalogue,
    ),
    ...own.flatMap((one) => viewTables(one, instants, catalogue)),
    ["spine", `SELECT *, cutoff_ms - cutoff_ms % ${DAY_MS} AS day_ms FROM spine_row`],
    ["joined", joinedSql(needed, keys, instants, populationTableName)],
    ...complete,
  ];
  const columns = [
    "c.row_number",
    ...service.features.map((name) => `CAST(c.${name} AS DOUBLE) AS ${name}`),
  ];
  return `${withSql(tables)} SELECT ${columns.join(", ")} FROM ${complete.at(-1)?.[0] ?? "joined"} c`;
}

/** A view's features of the whole population as known at the start of a UTC day: the columns of the view and `day_ms`. */
export function populationSql(
  needed: Needed["views"][number],
  day: number,
  instants: Instants,
  catalogue: Catalogue = CATALOGUE,
): string {
  const tables = [
    ...relationTables([needed.view], instants, catalogue),
    ...viewTables(needed, instants, catalogue),
  ];
  return `${withSql(tables)} SELECT CAST(${day} AS BIGINT) AS day_ms, * FROM ${viewTableName(needed.view)}`;
}

/** The table in which a population view's features are kept by day. */
export function populationTableName(view: Pick<FeatureView, "name">): string {
  return `population_${view.name}`;
}

function viewTableName(view: Pick<FeatureView, "name">): string {
  return `view_${view.name}`;
}

function viewTables(
  { view, features }: Needed["views"][number],
  instants: Instants,
  catalogue: Catalogue,
  isOfSpine = false,
): readonly Table[] {
  const wanted = new Set(features.map(({ name }) => name));
  const relation = relationOf(view, catalogue);
  return viewSql(view, relation, instants, wanted, isOfSpine ? "spine" : undefined);
}

/** The tables as a WITH clause. */
export function withSql(tables: readonly Table[]): string {
  return `WITH ${tables.map(([name, sql]) => `${name} AS (${sql})`).join(",\n")}`;
}

/** The tables of the relations that some views read. */
export function relationTables(
  readers: readonly Pick<FeatureView, "relation" | "name">[],
  instants: Instants,
  catalogue: Catalogue,
): Table[] {
  const tables = readers.flatMap((reader) => relationOf(reader, catalogue).sql(instants));
  return [...new Map(tables).entries()];
}

function spineSql(spine: Spine, cutoff: number, instants: Instants): string {
  switch (spine.entity) {
    case "customer": {
      if ("activeWithinDays" in spine) {
        const since = cutoff - spine.activeWithinDays * DAY_MS;
        return `SELECT DISTINCT customer_id FROM ${instants.visible(["order", "browse"])} WHERE occurred_at_ms >= ${since}`;
      }
      return `SELECT DISTINCT customer_id FROM ${instants.visible(FACT_KINDS)}`;
    }
    case "pair":
      return `SELECT customer_id, product FROM purchase GROUP BY customer_id, product HAVING count(*) >= ${spine.minimumPurchases}`;
    case "customer_category":
    case "product":
    case "category": {
      const keys = ENTITY_KEYS[spine.entity];
      return `SELECT DISTINCT ${keys.join(", ")} FROM purchase WHERE ${keys.map((key) => `${key} IS NOT NULL`).join(" AND ")}`;
    }
  }
}

/** The features of one of the cutoffs that share a table, of those in the spine or in the part of the table that is one. */
function sharedSql({ views }: Needed, index: number, spine?: string): string {
  const columns = views.flatMap(({ features }) =>
    features.map((feature) => columnSql(`t.${sharedColumn(feature.name, index)}`, feature)),
  );
  const of = spine ?? `spine s LEFT JOIN ${SHARED} t ON t.customer_id = s.customer_id`;
  return `SELECT ${[`${spine === undefined ? "s" : "t"}.customer_id`, ...columns].join(", ")} FROM ${of}`;
}

function isEverybody(spine: Spine): boolean {
  return spine.entity === "customer" && !("activeWithinDays" in spine);
}

function sharedSpine(cutoff: number): string {
  return `(SELECT * FROM ${SHARED} WHERE since_ms < ${cutoff}) t`;
}

function joinedSql(
  { views }: Needed,
  keys: readonly string[],
  instants: Instants,
  nameOf: (view: FeatureView) => string,
): string {
  const tableOf = (view: FeatureView): string =>
    isPopulation(view.entity) ? nameOf(view) : viewTableName(view);
  const columns = views.flatMap(({ view, features }) =>
    features.map((feature) => columnSql(`${tableOf(view)}.${feature.name}`, feature)),
  );
  const joins = views.map(({ view }) => {
    const on = isPopulation(view.entity)
      ? [...ENTITY_KEYS[view.entity], ...(nameOf(view) === viewTableName(view) ? [] : ["day_ms"])]
      : keysOf(view, instants);
    const table = tableOf(view);
    return `LEFT JOIN ${table} ON ${on.map((key) => `${table}.${key} = s.${key}`).join(" AND ")}`;
  });
  return `SELECT ${[...keys.map((key) => `s.${key}`), ...columns].join(", ")} FROM spine s ${joins.join(" ")}`;
}

function columnSql(column: string, { name, whenUnknown }: AggregatedFeature): string {
  return whenUnknown === null
    ? `${column} AS ${name}`
    : `coalesce(${column}, ${whenUnknown}) AS ${name}`;
}

/** One table per layer of derived features: each reads what is above it. */
function derivedTables(derived: readonly DerivedFeature[], cutoff: string): Table[] {
  const tables: Table[] = [];
  let left = [...derived];
  for (let layer = 0; left.length > 0; layer++) {
    const names = new Set(left.map(({ name }) => name));
    const now = left.filter(({ expression }) => !expression.reads.some((name) => names.has(name)));
    const from = layer === 0 ? "joined" : `derived_${layer - 1}`;
    const columns = now.map(({ name, expression, whenUnknown }) =>
      whenUnknown === null
        ? `${expression.sql(cutoff)} AS ${name}`
        : `coalesce(${expression.sql(cutoff)}, ${whenUnknown}) AS ${name}`,
    );
    tables.push([`derived_${layer}`, `SELECT *, ${columns.join(", ")} FROM ${from}`]);
    left = left.filter((feature) => !now.includes(feature));
  }
  return tables;
}

function observedIntervals(label: Label, cutoff: number): number {
  return Math.max(
    0,
    Math.min(label.count, Math.floor((label.knownBefore - cutoff) / label.lengthMs)),
  );
}

function labelSql(label: Label, cutoff: number, keys: readonly string[]): string {
  const end = cutoff + observedIntervals(label, cutoff) * label.lengthMs;
  const columns = keys.map((key) => `o.${key}`).join(", ");
  return `SELECT ${columns}, CAST(floor((min(o.occurred_at_ms) - ${cutoff}) / ${label.lengthMs}) AS INTEGER) AS event_interval
    FROM fact o LEFT JOIN (
      SELECT line_key, sum(quantity) AS quantity FROM fact
      WHERE kind = 'refund' AND occurred_at_ms < ${label.knownBefore} AND known_at_ms < ${label.knownBefore} AND line_key IS NOT NULL GROUP BY line_key
    ) r ON r.line_key = o.line_key
    WHERE o.kind = 'order' AND o.occurred_at_ms >= ${cutoff} AND o.occurred_at_ms < ${end} AND o.known_at_ms < ${label.knownBefore}
      AND o.quantity - coalesce(r.quantity, 0) > 0
    GROUP BY ${columns}`;
}

/** The instants of the start of a day, for population features. */
export function atStartOfDay(
  instant: number,
  dialect: Instants["dialect"],
): { readonly day: number; readonly instants: Instants } {
  const day = instant - (instant % DAY_MS);
  return { day, instants: atCutoff(day, dialect) };
}
