/** What a feature is of. A pair is one customer with one product (its group in the mapping). */
export type Entity = "customer" | "pair" | "product";

/** The columns that name an entity. */
export const ENTITY_KEYS: Readonly<Record<Entity, readonly string[]>> = {
  customer: ["customer_id"],
  pair: ["customer_id", "product"],
  product: ["product"],
};

export interface Feature {
  /** Field-standard name, unit last; unique over all views. */
  readonly name: string;
  /** An aggregate over the view's relation, in the SQL that DuckDB and Spark share. */
  readonly sql: string;
  readonly unit: "days" | "count" | "share" | "ratio" | "amount" | "quantity" | "flag";
  /** What it says, in a sentence a data scientist reads. */
  readonly meaning: string;
  /** Its value where nothing is known of the entity; null means "unknown", not zero. */
  readonly whenUnknown: number | null;
}

/**
 * A group of features of one entity, computed from one relation at a cutoff. Relations (see
 * relations.ts) hold only what had happened and was known before the cutoff, so a view can't look
 * ahead. Adding a feature is adding an entry.
 */
export interface FeatureView {
  readonly name: string;
  readonly entity: Entity;
  readonly relation: string;
  readonly features: readonly Feature[];
}

/** A feature computed from other features of the same row. */
export interface DerivedFeature extends Feature {
  readonly entity: Entity;
}

/** Days between the cutoff and an instant column; `$cutoff` stands for the cutoff in epoch ms. */
export function daysBefore(column: string): string {
  return `CAST($cutoff - ${column} AS DOUBLE) / 86400000`;
}

/** A count of rows whose `day` lies in the last `days` days, half-open: [cutoff - days, cutoff). */
export function rowsWithin(days: number, of = "1"): string {
  return `sum(CASE WHEN day >= $today - ${days} THEN ${of} ELSE 0 END)`;
}

/** The four moments of gaps between purchases that the views share, for a `gap_days` column. */
export function gapFeatures(prefix: string, whose: string): Feature[] {
  const feature = (name: string, sql: string, meaning: string): Feature => ({
    name: `${prefix}_gap_${name}_days`,
    sql,
    unit: "days",
    meaning,
    whenUnknown: null,
  });
  return [
    feature("mean", "CAST(sum(gap_days) AS DOUBLE) / count(*)", `mean days between ${whose}`),
    feature(
      "std",
      // Sums of whole days are exact in any order of rows, unlike a running variance.
      "CASE WHEN count(*) > 1 THEN sqrt(greatest(0, (sum(gap_days * gap_days) - CAST(sum(gap_days) AS DOUBLE) * sum(gap_days) / count(*)) / (count(*) - 1))) END",
      `standard deviation of the days between ${whose} (n - 1); unknown below two gaps`,
    ),
    feature("median", "CAST(median(gap_days) AS DOUBLE)", `median days between ${whose}`),
    feature("last", "CAST(max_by(gap_days, day) AS DOUBLE)", `days between the last two ${whose}`),
    feature("max", "CAST(max(gap_days) AS DOUBLE)", `longest wait between ${whose}`),
  ];
}
