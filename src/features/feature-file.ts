import { renameSync, rmSync, writeFileSync } from "node:fs";
import {
  type Clock,
  type DuckDb,
  literal,
  quoted,
  ServiceError,
  type Store,
  shareOutput,
  toIso,
} from "../base/index.ts";
import { buildStatistics, type ColumnStatistics, QUANTILES } from "./build-statistics.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { type BuildDescription, recordBuild } from "./feature-build-store.ts";
import { featuresOf } from "./feature-service.ts";

/** A column as the data dictionary beside a file describes it. */
export interface DictionaryColumn extends Partial<ColumnStatistics> {
  readonly name: string;
  readonly type: string;
  readonly unit: string | null;
  readonly meaning: string;
  /** A feature's value where nothing is known; null is "unknown". */
  readonly default: number | null;
  readonly rows: number;
  readonly nullRate: number;
}

/** What stands beside a file of features, and in its metadata. Instants are ISO 8601. */
export interface Dictionary {
  readonly format: "herkoop-features-1";
  readonly service: { readonly name: string; readonly version: number; readonly entity: string };
  readonly purpose: string;
  readonly spine: string;
  readonly cutoffs: {
    readonly count: number;
    readonly first: string | null;
    readonly last: string | null;
  };
  readonly rows: number;
  readonly dataThrough: string | null;
  readonly facts: string;
  /** Where the quantiles of a column are, as shares. */
  readonly quantiles: readonly number[];
  readonly columns: readonly DictionaryColumn[];
}

/** Throws `invalid-input` unless a file's name says Parquet or CSV. */
export function checkFeatureFile(file: string): void {
  if (!/\.(parquet|csv)$/.test(file)) {
    throw new ServiceError(
      "invalid-input",
      `out: expected a name ending in .parquet or .csv, got "${file}"`,
      { field: "out" },
    );
  }
}

/**
 * Writes a Parquet file of features under its final name (as CSV where that ends so) with its dictionary
 * beside it (`<file>.dictionary.json`) and, as Parquet, in its metadata under `herkoop`; records the build.
 * The file appears whole or not at all.
 */
export async function publishFeatureFile(
  store: Store,
  clock: Clock,
  from: string,
  file: string,
  build: BuildDescription,
): Promise<Dictionary> {
  checkFeatureFile(file);
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 600 });
  const dictionaryFile = `${file}.dictionary.json`;
  const partial = store.partial(file);
  const partialDictionary = store.partial(dictionaryFile);
  try {
    const source = `read_parquet(${literal(from)})`;
    const { dictionary, statistics } = await describeFile(duckdb, source, build);
    await duckdb.run(
      `COPY (SELECT * FROM ${source}) TO ${literal(partial)} (${formatOf(file, dictionary)})`,
    );
    writeFileSync(partialDictionary, `${JSON.stringify(dictionary, null, 2)}\n`);
    shareOutput(store.folder, partial);
    shareOutput(store.folder, partialDictionary);
    renameSync(partial, file);
    renameSync(partialDictionary, dictionaryFile);
    recordBuild(store, clock, build, dictionary.rows, statistics);
    return dictionary;
  } finally {
    duckdb.close();
    rmSync(partial, { force: true });
    rmSync(partialDictionary, { force: true });
  }
}

/** Records the build of a Parquet file that nobody else is to see. */
export async function recordFeatureFile(
  store: Store,
  clock: Clock,
  file: string,
  build: BuildDescription,
): Promise<void> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 600 });
  try {
    const from = `read_parquet(${literal(file)})`;
    const statistics = await buildStatistics(duckdb, from, build.service.features);
    recordBuild(store, clock, build, [...statistics.values()][0]?.rows ?? 0, statistics);
  } finally {
    duckdb.close();
  }
}

function formatOf(file: string, dictionary: Dictionary): string {
  return file.endsWith(".csv")
    ? "FORMAT csv, HEADER"
    : `FORMAT parquet, COMPRESSION zstd, KV_METADATA {herkoop: ${literal(JSON.stringify(dictionary))}}`;
}

async function describeFile(
  duckdb: DuckDb,
  from: string,
  build: BuildDescription,
): Promise<{
  readonly dictionary: Dictionary;
  readonly statistics: ReadonlyMap<string, ColumnStatistics>;
}> {
  const { service } = build;
  const statistics = await buildStatistics(duckdb, from, service.features);
  const described = await duckdb.rows(`DESCRIBE SELECT * FROM ${from}`);
  const others = described
    .map((row) => String(row["column_name"]))
    .filter((name) => !statistics.has(name));
  const counts = await countKnown(duckdb, from, others);
  const entries = new Map(featuresOf(service).map((entry) => [entry.name, entry]));
  const columns = described.map((row) => {
    const name = String(row["column_name"]);
    const type = String(row["column_type"]);
    const entry = entries.get(name);
    const seen = statistics.get(name) ?? counts(name);
    return { name, type, ...wordsOf(name, entry), ...seen };
  });
  const iso = (instant: number | null): string | null => (instant === null ? null : toIso(instant));
  const dictionary: Dictionary = {
    format: "herkoop-features-1",
    service: { name: service.name, version: service.version, entity: service.entity },
    purpose: build.purpose,
    spine: build.spine,
    cutoffs: {
      count: build.cutoffCount,
      first: iso(build.firstCutoff),
      last: iso(build.lastCutoff),
    },
    rows: counts("").rows,
    dataThrough: iso(build.dataThrough),
    facts: build.facts,
    quantiles: QUANTILES,
    columns,
  };
  return { dictionary, statistics };
}

/** Rows and the share of nulls of columns that are no features: their values are nobody's business. */
async function countKnown(
  duckdb: DuckDb,
  from: string,
  columns: readonly string[],
): Promise<(name: string) => { readonly rows: number; readonly nullRate: number }> {
  const known = columns.map((name, index) => `count(${quoted(name)}) AS n_${index}`);
  const [row = {}] = await duckdb.rows(
    `SELECT ${["count(*) AS n", ...known].join(", ")} FROM ${from}`,
  );
  const rows = Number(row["n"]);
  return (name) => {
    const index = columns.indexOf(name);
    const nulls = index < 0 ? 0 : rows - Number(row[`n_${index}`]);
    return { rows, nullRate: rows === 0 ? 0 : nulls / rows };
  };
}

const KEY_MEANINGS: Readonly<Record<string, string>> = {
  cutoff_ms: "the instant the row stands at, epoch ms: features are what was known strictly before",
  customer_id: "the customer's number in this store",
  product: "the product's group, as the mapping says",
  category: "the product's category",
  is_known: "whether the store knows the row's customer, product or category",
};

function wordsOf(
  name: string,
  entry: CatalogueEntry | undefined,
): Pick<DictionaryColumn, "unit" | "meaning" | "default"> {
  return entry === undefined
    ? { unit: null, meaning: KEY_MEANINGS[name] ?? "as it came", default: null }
    : { unit: entry.unit, meaning: entry.meaning, default: entry.whenUnknown };
}
