import { type DuckDb, literal, type SqlValue } from "../base/index.ts";
import type { Dataset } from "./dataset.ts";

export interface RowSelection {
  /** Which of the file's labels to take; none unless given. */
  readonly label?: number;
  /** Only rows of these cutoffs (epoch ms). */
  readonly cutoffs?: readonly number[];
  /** Beyond this many rows, a stable uniform sample of about as many. */
  readonly maximumRows?: number;
}

/**
 * Reads rows that the feature store wrote (Parquet) into typed arrays, by cutoff, customer and product:
 * a streamed scan of a large file has no order of its own, and training depends on the order.
 */
export async function readDataset(
  duckdb: DuckDb,
  file: string,
  featureNames: readonly string[],
  selection: RowSelection = {},
): Promise<Dataset> {
  const from = `read_parquet(${literal(file)})`;
  const columns = new Set(
    (await duckdb.rows(`DESCRIBE SELECT * FROM ${from}`)).map((row) => row["column_name"]),
  );
  const inCutoffs =
    selection.cutoffs === undefined
      ? "true"
      : `cutoff_ms IN (${selection.cutoffs.join(", ") || "NULL"})`;
  const product = columns.has("product") ? "product" : "NULL";
  const count = async (where: string): Promise<number> =>
    Number((await duckdb.rows(`SELECT count(*) AS n FROM ${from} WHERE ${where}`))[0]?.["n"]);
  const available = await count(inCutoffs);
  const share = Math.min(1, (selection.maximumRows ?? available) / Math.max(1, available));
  const where =
    share < 1
      ? `${inCutoffs} AND hash(customer_id, ${product}, cutoff_ms) % 1000000 < ${Math.round(share * 1e6)}`
      : inCutoffs;
  const rows = share < 1 ? await count(where) : available;
  const label =
    selection.label === undefined
      ? "NULL, 0"
      : `event_interval_${selection.label}, observed_intervals_${selection.label}`;
  const dataset = emptyDataset(featureNames, rows);
  const chunks = duckdb.chunks(
    `SELECT cutoff_ms, customer_id, ${product}, ${label}, ${featureNames.join(", ")} FROM ${from} WHERE ${where}
     ORDER BY cutoff_ms, customer_id, CAST(${product} AS VARCHAR)`,
  );
  let offset = 0;
  for await (const columns of chunks) {
    fillRows(dataset, columns, offset);
    offset += columns[0]?.length ?? 0;
  }
  if (offset < dataset.rows) {
    // A stream that runs out of memory ends without a word; rows left at zero would be learned from.
    throw new Error(
      `${file}: read ${offset} of ${dataset.rows} rows; the session's memory is too small`,
    );
  }
  return dataset;
}

type WritableDataset = Dataset & { readonly products: string[] };

function emptyDataset(featureNames: readonly string[], rows: number): WritableDataset {
  return {
    featureNames,
    rows,
    features: new Float32Array(rows * featureNames.length),
    cutoffs: new Float64Array(rows),
    customers: new Int32Array(rows),
    products: [],
    events: new Int16Array(rows).fill(-1),
    observed: new Int16Array(rows),
  };
}

/** Copies a chunk (cutoff, customer, product, event, observed, features) in from row `offset` on. */
function fillRows(dataset: WritableDataset, columns: readonly SqlValue[][], offset: number): void {
  const [cutoffs = [], customers = [], products = [], events = [], observed = []] = columns;
  cutoffs.forEach((cutoff, index) => {
    const row = offset + index;
    dataset.cutoffs[row] = Number(cutoff);
    dataset.customers[row] = Number(customers[index]);
    dataset.events[row] = Number(events[index] ?? -1);
    dataset.observed[row] = Number(observed[index]);
  });
  dataset.products.push(...products.filter((product) => product !== null).map(String));
  const width = dataset.featureNames.length;
  columns.slice(5).forEach((values, column) => {
    values.forEach((value, index) => {
      dataset.features[(offset + index) * width + column] = Number(value ?? Number.NaN);
    });
  });
}
