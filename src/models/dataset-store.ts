import { type DuckDb, literal, type SqlValue } from "../base/index.ts";
import type { Dataset } from "./dataset.ts";

export interface RowSelection {
  /** Which of the file's labels to take; none unless given. */
  readonly label?: number;
  /** Only rows of these cutoffs (epoch ms). */
  readonly cutoffs?: readonly number[];
  /**
   * Beyond this many rows, a stable sample of about as many: rows in which something happened first (up to half
   * of them), since there are fewer of those and they teach more; each row weighted back.
   */
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
  const sample = await planSample(duckdb, from, inCutoffs, product, selection);
  const label =
    selection.label === undefined
      ? "NULL, 0"
      : `event_interval_${selection.label}, observed_intervals_${selection.label}`;
  const dataset = emptyDataset(featureNames, sample.rows);
  const chunks = duckdb.chunks(
    `SELECT cutoff_ms, customer_id, ${product}, ${label}, ${featureNames.join(", ")} FROM ${from} WHERE ${sample.where}
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
  weighBack(dataset, sample);
  return dataset;
}

/** Reads the rows of a file (without labels) piece by piece, in the file's order: about 2,048 rows or more at a time. */
export async function* eachDataset(
  duckdb: DuckDb,
  file: string,
  featureNames: readonly string[],
  rowsAtOnce: number,
  where = "true",
): AsyncGenerator<Dataset> {
  const from = `read_parquet(${literal(file)})`;
  const described = await duckdb.rows(`DESCRIBE SELECT * FROM ${from}`);
  const hasProduct = described.some((row) => row["column_name"] === "product");
  const sql = `SELECT cutoff_ms, customer_id, ${hasProduct ? "product" : "NULL"}, NULL, 0, ${featureNames.join(", ")} FROM ${from} WHERE ${where}`;
  let held: SqlValue[][][] = [];
  let rows = 0;
  for await (const columns of duckdb.chunks(sql)) {
    held.push(columns);
    rows += columns[0]?.length ?? 0;
    if (rows >= rowsAtOnce) {
      yield joinChunks(featureNames, held, rows);
      held = [];
      rows = 0;
    }
  }
  if (rows > 0) {
    yield joinChunks(featureNames, held, rows);
  }
}

function joinChunks(
  featureNames: readonly string[],
  chunks: readonly SqlValue[][][],
  rows: number,
): Dataset {
  const dataset = emptyDataset(featureNames, rows);
  let offset = 0;
  for (const columns of chunks) {
    fillRows(dataset, columns, offset);
    offset += columns[0]?.length ?? 0;
  }
  return dataset;
}

interface Sample {
  readonly where: string;
  readonly rows: number;
  /** What one kept row stands for, with and without an event; both 1 where all are kept. */
  readonly weight: { readonly event: number; readonly none: number };
}

async function planSample(
  duckdb: DuckDb,
  from: string,
  where: string,
  product: string,
  { label, maximumRows }: RowSelection,
): Promise<Sample> {
  const isEvent = label === undefined ? "false" : `event_interval_${label} IS NOT NULL`;
  const count = async (test: string): Promise<{ event: number; none: number }> => {
    const [row] = await duckdb.rows(
      `SELECT count(*) AS n, count(CASE WHEN ${isEvent} THEN 1 END) AS events FROM ${from} WHERE ${test}`,
    );
    return { event: Number(row?.["events"]), none: Number(row?.["n"]) - Number(row?.["events"]) };
  };
  const all = await count(where);
  const total = all.event + all.none;
  if (maximumRows === undefined || total <= maximumRows) {
    return { where, rows: total, weight: { event: 1, none: 1 } };
  }
  const events = Math.min(all.event, Math.max(maximumRows / 2, maximumRows - all.none));
  const shareOf = (wanted: number, there: number): number =>
    Math.round(1e6 * Math.min(1, wanted / Math.max(1, there)));
  const [event, none] = [shareOf(events, all.event), shareOf(maximumRows - events, all.none)];
  const sampled = `${where} AND hash(customer_id, ${product}, cutoff_ms) % 1000000 < CASE WHEN ${isEvent} THEN ${event} ELSE ${none} END`;
  const kept = await count(sampled);
  const rows = kept.event + kept.none;
  const weight = {
    event: (all.event / Math.max(1, kept.event)) * (rows / total),
    none: (all.none / Math.max(1, kept.none)) * (rows / total),
  };
  return { where: sampled, rows, weight };
}

function weighBack(dataset: WritableDataset, { weight }: Sample): void {
  if (weight.event !== weight.none) {
    dataset.weights = Float32Array.from(dataset.events, (event) =>
      event >= 0 ? weight.event : weight.none,
    );
  }
}

type WritableDataset = Dataset & { readonly products: string[]; weights?: Float32Array };

/** A data set of so many rows of these features, without outcomes, to be filled in. */
export function emptyDataset(featureNames: readonly string[], rows: number): WritableDataset {
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
