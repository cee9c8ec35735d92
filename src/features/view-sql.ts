import { DAY_MS } from "../base/index.ts";
import { type AggregationContext, aggregateSql } from "./aggregation-sql.ts";
import { ENTITY_KEYS, type FeatureView, isPopulation, type Measure } from "./feature-view.ts";
import type { Instants, Relation } from "./relation.ts";

const MINUTE_MS = 60_000;
/** What all rows of a day have in common. */
const DAY_COLUMNS: readonly string[] = ["day", "weekday"];

/** The columns by which a view's rows are told apart at these instants. */
export function keysOf(view: Pick<FeatureView, "entity">, instants: Instants): readonly string[] {
  return [...ENTITY_KEYS[view.entity], ...(isPopulation(view.entity) ? [] : instants.keys)];
}

/** How a view reads its relation: its scales, and which column holds what. */
export function contextOf(
  view: FeatureView,
  relation: Relation,
): Pick<AggregationContext, "firstAt" | "scaleOf" | "gapScale" | "gapOver" | "hasTies"> {
  const measures = new Map(view.measures?.map((measure) => [measure.name, measure]));
  return {
    firstAt: view.per !== undefined || relation.hasFirstAt ? "first_at_ms" : "at_ms",
    scaleOf: (column) => {
      if (column === "length") {
        return MINUTE_MS;
      }
      const measure = measures.get(column);
      return relation.scales[measure === undefined ? column : (measure.of ?? "")] ?? 1;
    },
    gapScale: view.gap === "at_ms" ? DAY_MS : 1,
    gapOver: view.gap ?? "at_ms",
    hasTies: !isDaily(view),
  };
}

/** Whether each of an entity's rows is a day of its own. */
function isDaily({ per }: FeatureView): boolean {
  return per?.includes("day") === true && per.every((column) => DAY_COLUMNS.includes(column));
}

/**
 * A view's common table expressions [name, SQL]: its grain, its gaps, and its features by entity, named
 * `view_<name>`; of the entities in the table `only` where one is named.
 */
export function viewSql(
  view: FeatureView,
  relation: Relation,
  instants: Instants,
  wanted: ReadonlySet<string>,
  only?: string,
): readonly (readonly [string, string])[] {
  const { tables, from } = viewRowsSql(view, relation, instants, only);
  const context = {
    ...contextOf(view, relation),
    dialect: instants.dialect,
    cutoff: instants.cutoff,
  };
  const features = view.features
    .filter(({ name }) => wanted.has(name))
    .map(({ name, aggregation }) => `${aggregateSql(aggregation, context)} AS ${name}`);
  return [...tables, [`view_${view.name}`, groupedSql(view, instants, from, features)]];
}

/** The rows that a view aggregates: common table expressions [name, SQL], and what to read them from. */
export function viewRowsSql(
  view: FeatureView,
  relation: Relation,
  instants: Instants,
  only?: string,
): { readonly tables: readonly (readonly [string, string])[]; readonly from: string } {
  const tables: (readonly [string, string])[] = [];
  let from = view.relation;
  if (only !== undefined) {
    const on = keysOf(view, instants).map((key) => `r.${key} = o.${key}`);
    from = `(SELECT r.* FROM ${from} r JOIN ${only} o ON ${on.join(" AND ")})`;
  }
  if (view.per !== undefined) {
    const sql = grainSql(view, relation, instants, from);
    from = `grain_${view.name}`;
    tables.push([from, sql]);
  } else if (view.where !== undefined) {
    from = `(SELECT * FROM ${from} WHERE ${view.where.sql(instants.dialect)})`;
  }
  if (view.gap !== undefined) {
    const within = [...keysOf(view, instants), ...(view.gapWithin ?? [])].join(", ");
    const sql = `SELECT *, ${view.gap} - lag(${view.gap}) OVER (PARTITION BY ${within} ORDER BY ${view.gap}) AS gap FROM ${from}`;
    from = `gap_${view.name}`;
    tables.push([from, sql]);
  }
  return { tables, from };
}

/** The query of aggregates by entity. */
export function groupedSql(
  view: Pick<FeatureView, "entity">,
  instants: Instants,
  from: string,
  aggregates: readonly string[],
): string {
  const keys = keysOf(view, instants).join(", ");
  const known = ENTITY_KEYS[view.entity].map((key) => `${key} IS NOT NULL`).join(" AND ");
  return `SELECT ${[keys, ...aggregates].join(", ")} FROM ${from} WHERE ${known} GROUP BY ${keys}`;
}

function grainSql(view: FeatureView, relation: Relation, instants: Instants, from: string): string {
  const columns = grainColumns(view, relation, instants).map(([name, sql]) => `${sql} AS ${name}`);
  return grainedSql(view, instants, from, columns);
}

/** What a row of a view's grain holds besides its keys [name, aggregate over the relation's rows, or those seen]. */
export function grainColumns(
  view: FeatureView,
  relation: Relation,
  instants: Instants,
  seen?: string,
): readonly (readonly [string, string])[] {
  const of = (column: string): string =>
    seen === undefined ? column : `CASE WHEN ${seen} THEN ${column} END`;
  const last = `max(${of("at_ms")})`;
  const first = `min(${of(relation.hasFirstAt ? "first_at_ms" : "at_ms")})`;
  return [
    ["at_ms", last],
    ["first_at_ms", first],
    ["length", `${last} - ${first}`],
    ["n", seen === undefined ? "count(*)" : `count(${of("1")})`],
    ...(view.measures ?? []).map(
      (measure) => [measure.name, measureSql(measure, instants, seen)] as const,
    ),
  ];
}

/** The columns that tell the rows of a view's grain apart. */
export function grainBy(view: FeatureView, instants: Instants): readonly string[] {
  return [...new Set([...keysOf(view, instants), ...(view.per ?? [])])];
}

/** The query of aggregates by the rows of a view's grain. */
export function grainedSql(
  view: FeatureView,
  instants: Instants,
  from: string,
  aggregates: readonly string[],
): string {
  const per = view.per ?? [];
  const by = grainBy(view, instants).join(", ");
  const tests = [
    ...per.map((column) => `${column} IS NOT NULL`),
    ...(view.where === undefined ? [] : [view.where.sql(instants.dialect)]),
  ];
  return `SELECT ${[by, ...aggregates].join(", ")} FROM ${from} WHERE ${tests.join(" AND ")} GROUP BY ${by}`;
}

/** A measure as an aggregate over the rows of a relation, or over those that are seen. */
function measureSql({ kind, of, where }: Measure, { dialect }: Instants, seen?: string): string {
  const tests = [seen, where?.sql(dialect)].filter((test) => test !== undefined);
  const test = tests.length === 0 ? undefined : tests.join(" AND ");
  switch (kind) {
    case "count":
      return test === undefined ? "count(*)" : `count(CASE WHEN ${test} THEN 1 END)`;
    case "sum":
      return `sum(${test === undefined ? (of ?? "") : `CASE WHEN ${test} THEN ${of ?? ""} ELSE 0 END`})`;
    case "last_at":
      return `max(${test === undefined ? "at_ms" : `CASE WHEN ${test} THEN at_ms END`})`;
  }
}
