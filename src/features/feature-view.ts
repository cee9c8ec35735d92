import type { Aggregation, GapStatistic } from "./aggregation.ts";
import type { Condition } from "./condition.ts";
import type { Expression } from "./expression.ts";
import type { Window } from "./window.ts";

/**
 * What a feature is of. A pair is one customer with one product (its group in the mapping), a
 * customer_category one customer with one category; an instant's features follow from the cutoff alone.
 */
export const ENTITIES = [
  "customer",
  "pair",
  "customer_category",
  "product",
  "category",
  "instant",
] as const;
export type Entity = (typeof ENTITIES)[number];

/** The columns that name an entity. */
export const ENTITY_KEYS: Readonly<Record<Entity, readonly string[]>> = {
  customer: ["customer_id"],
  pair: ["customer_id", "product"],
  customer_category: ["customer_id", "category"],
  product: ["product"],
  category: ["category"],
  instant: [],
};

/** Entities whose features are of the whole population: as known at the start of the cutoff's UTC day. */
export function isPopulation(entity: Entity): boolean {
  return entity === "product" || entity === "category";
}

export const UNITS = [
  "days",
  "minutes",
  "count",
  "share",
  "ratio",
  "amount",
  "quantity",
  "wave",
] as const;
export type Unit = (typeof UNITS)[number];

export interface Feature {
  /** Field-standard name, unit or window last; unique over all views. */
  readonly name: string;
  readonly unit: Unit;
  /** What it says, in a sentence a data scientist reads. */
  readonly meaning: string;
  /** Its value where nothing is known of the entity; null means "unknown", not zero. */
  readonly whenUnknown: number | null;
}

export interface AggregatedFeature extends Feature {
  readonly aggregation: Aggregation;
}

/** A number of each row of a view's grain. */
export interface Measure {
  readonly name: string;
  readonly kind: "sum" | "count" | "last_at";
  /** Of what column; not for counts and instants. */
  readonly of?: string;
  readonly where?: Condition;
}

/**
 * A group of features of one entity, computed from one relation at a cutoff. A relation holds only what had
 * happened and was known before the cutoff, so a view can't look ahead.
 *
 * `per` first makes one row of all that agree in these columns (none of them null), with `at_ms` and
 * `first_at_ms`, how many there were (`n`), and the measures; without it every row of the relation is one.
 * `gap` is the column between whose values in order gaps are taken, within the entity or within
 * `gapWithin` of it.
 */
export interface FeatureView {
  readonly name: string;
  readonly entity: Entity;
  readonly relation: string;
  readonly where?: Condition;
  readonly per?: readonly string[];
  readonly measures?: readonly Measure[];
  readonly gap?: "day" | "at_ms";
  readonly gapWithin?: readonly string[];
  readonly features: readonly AggregatedFeature[];
}

/** A feature computed from other features of the same row. */
export interface DerivedFeature extends Feature {
  readonly entity: Entity;
  readonly expression: Expression;
}

type Told = Pick<Feature, "name" | "meaning"> & { readonly unit?: Unit };

/** A number of rows; 0 where nothing is known. */
export function count(
  told: Told,
  seen: { readonly where?: Condition; readonly within?: Window } = {},
): AggregatedFeature {
  return { unit: "count", whenUnknown: 0, ...told, aggregation: { kind: "count", ...seen } };
}

/** A number of rows over that of the whole population (of a view of products or categories); 0 where nothing is known. */
export function shareOfAll(
  told: Told,
  seen: { readonly where?: Condition; readonly within?: Window } = {},
): AggregatedFeature {
  return { unit: "share", whenUnknown: 0, ...told, aggregation: { kind: "share_of_all", ...seen } };
}

/** The sum of a column; 0 where nothing is known. */
export function sum(
  told: Told & { readonly unit: Unit },
  of: string,
  seen: { readonly where?: Condition; readonly within?: Window } = {},
): AggregatedFeature {
  return { whenUnknown: 0, ...told, aggregation: { kind: "sum", of, ...seen } };
}

/** The mean, least, greatest or latest of a column; unknown where nothing is known. */
export function value(
  kind: "mean" | "minimum" | "maximum" | "last",
  told: Told & { readonly unit: Unit },
  of: string,
): AggregatedFeature {
  return { whenUnknown: null, ...told, aggregation: { kind, of } };
}

/** The share of rows for which a condition holds; unknown where there are none. */
export function share(told: Told, of: Condition, within?: Window): AggregatedFeature {
  const aggregation = { kind: "share", of, ...(within === undefined ? {} : { within }) } as const;
  return { unit: "share", whenUnknown: null, ...told, aggregation };
}

/** Days from the latest row to the cutoff; unknown where there is none. */
export function daysSinceLast(told: Told, where?: Condition): AggregatedFeature {
  const seen = where === undefined ? {} : { where };
  return {
    unit: "days",
    whenUnknown: null,
    ...told,
    aggregation: { kind: "days_since_last", ...seen },
  };
}

/** Days from the earliest row to the cutoff; unknown where there is none. */
export function daysSinceFirst(told: Told, where?: Condition): AggregatedFeature {
  const seen = where === undefined ? {} : { where };
  return {
    unit: "days",
    whenUnknown: null,
    ...told,
    aggregation: { kind: "days_since_first", ...seen },
  };
}

/** One feature per window; the window ends its name. */
export function perWindow(
  windows: readonly Window[],
  make: (window: Window) => AggregatedFeature,
): AggregatedFeature[] {
  return windows.map(make);
}

const GAP_MEANINGS: Readonly<Record<GapStatistic, (whose: string) => string>> = {
  mean: (whose) => `mean days between ${whose}`,
  std: (whose) => `standard deviation of the days between ${whose} (n - 1); unknown below two gaps`,
  median: (whose) => `median days between ${whose}`,
  last: (whose) => `days between the last two ${whose}`,
  max: (whose) => `longest wait between ${whose}`,
};

/** The rhythm of a view's rows: statistics of the gaps between them, `<prefix>_gap_<statistic>_days`. */
export function gapFeatures(
  prefix: string,
  whose: string,
  statistics: readonly GapStatistic[] = ["mean", "std", "median", "last", "max"],
): AggregatedFeature[] {
  return statistics.map((statistic) => ({
    name: `${prefix}_gap_${statistic}_days`,
    unit: "days",
    meaning: GAP_MEANINGS[statistic](whose),
    whenUnknown: null,
    aggregation: { kind: "gap", statistic },
  }));
}

/** A window as people say it. */
export function spoken(window: Window): string {
  const [, number = "", unit = ""] = /^(\d+)([mhd])$/.exec(window) ?? [];
  const word = { m: "minute", h: "hour", d: "day" }[unit] ?? "";
  return number === "1" ? `last ${word}` : `last ${number} ${word}s`;
}
