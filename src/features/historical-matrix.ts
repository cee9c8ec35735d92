import { type DuckDb, type Step, type Store, silentProgress } from "../base/index.ts";
import { openCustomerNumbers } from "../customers/index.ts";
import { computeAnchors } from "./anchor-rows.ts";
import { withFacts } from "./fact-session.ts";
import { type FeatureService, featuresOf } from "./feature-service.ts";

/** An anchor of a data set: of whom (by number) or of what, when. */
export interface Anchor {
  /** Epoch ms; what happened and was known strictly before it is seen. */
  readonly cutoff: number;
  readonly customerId?: number;
  readonly product?: string;
  readonly category?: string;
}

/** Features as numbers, row-major (rows × featureNames.length); NaN is unknown. */
export interface FeatureMatrix<Values extends Float32Array | Float64Array = Float32Array> {
  readonly featureNames: readonly string[];
  readonly rows: number;
  readonly features: Values;
  /** Epoch ms. */
  readonly cutoffs: Float64Array;
  /** 0 where a row is of no customer. */
  readonly customers: Int32Array;
  readonly products: readonly string[];
  readonly categories: readonly string[];
}

/**
 * A service's features at arbitrary anchors, in their order, each as known at its own instant. Customers whom
 * the store does not know have every feature's default; one that was merged into another has that one's.
 */
export async function historicalMatrix(
  store: Store,
  service: FeatureService,
  anchors: readonly Anchor[],
  options?: { readonly precision?: 32; readonly step?: Step },
): Promise<FeatureMatrix>;
export async function historicalMatrix(
  store: Store,
  service: FeatureService,
  anchors: readonly Anchor[],
  options: { readonly precision: 64; readonly step?: Step },
): Promise<FeatureMatrix<Float64Array>>;
export async function historicalMatrix(
  store: Store,
  service: FeatureService,
  anchors: readonly Anchor[],
  { precision = 32, step = silentProgress.begin("") }: { precision?: 32 | 64; step?: Step } = {},
): Promise<FeatureMatrix<Float32Array | Float64Array>> {
  featuresOf(service);
  const count = anchors.length * service.features.length;
  const matrix = {
    featureNames: service.features,
    rows: anchors.length,
    features: precision === 64 ? new Float64Array(count) : new Float32Array(count),
    cutoffs: Float64Array.from(anchors, ({ cutoff }) => cutoff),
    customers: Int32Array.from(anchors, ({ customerId }) => customerId ?? 0),
    products:
      service.entity === "pair" || service.entity === "product"
        ? anchors.map(({ product }) => product ?? "")
        : [],
    categories: anchors.some(({ category }) => category !== undefined)
      ? anchors.map(({ category }) => category ?? "")
      : [],
  };
  await withFacts(store, async (duckdb) => {
    await createAnchors(duckdb, store, anchors);
    await computeAnchors(duckdb, service, step);
    await fill(duckdb, service, matrix.features);
  });
  return matrix;
}

async function createAnchors(
  duckdb: DuckDb,
  store: Store,
  anchors: readonly Anchor[],
): Promise<void> {
  const find = openCustomerNumbers(store);
  await duckdb.run(
    "CREATE TEMP TABLE given_anchor (row_number DOUBLE, customer_id DOUBLE, product VARCHAR, category VARCHAR, cutoff_ms DOUBLE)",
  );
  await duckdb.append(
    "given_anchor",
    anchors.map(({ customerId, product, category, cutoff }, index) => [
      index,
      customerId === undefined ? null : (find(customerId) ?? null),
      product ?? null,
      category ?? null,
      cutoff,
    ]),
  );
  await duckdb.run(
    `CREATE TEMP TABLE anchor AS SELECT CAST(row_number AS BIGINT) AS row_number, CAST(customer_id AS INTEGER) AS customer_id,
            product, category, CAST(cutoff_ms AS BIGINT) AS cutoff_ms FROM given_anchor`,
  );
}

async function fill(
  duckdb: DuckDb,
  { features }: FeatureService,
  values: Float32Array | Float64Array,
): Promise<void> {
  let offset = 0;
  const chunks = duckdb.chunks(`SELECT ${features.join(", ")} FROM computed ORDER BY row_number`);
  for await (const columns of chunks) {
    columns.forEach((cells, column) => {
      cells.forEach((cell, row) => {
        values[(offset + row) * features.length + column] = Number(cell ?? Number.NaN);
      });
    });
    offset += columns[0]?.length ?? 0;
  }
}
