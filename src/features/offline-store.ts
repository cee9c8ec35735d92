import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DAY_MS, type DuckDb, literal, type SqlRow, type Store } from "../base/index.ts";
import { BROWSING_EVENTS, historySql } from "../collection/index.ts";
import { CATALOGUE, type Catalogue, neededFor } from "./catalogue.ts";
import { duckDbDialect } from "./dialect.ts";
import { factsDigest, factsFolder } from "./facts.ts";
import { type FeatureService, featuresOf } from "./feature-service.ts";
import { ENTITY_KEYS, isPopulation } from "./feature-view.ts";
import { atCutoff } from "./instants.ts";
import {
  atStartOfDay,
  cutoffRowsSql,
  type Label,
  populationSql,
  populationTableName,
  type Spine,
} from "./rows-sql.ts";

/** Whether any browsing event had happened and was known before an instant (epoch ms). */
export async function hasBrowsing(store: Store, before: number): Promise<boolean> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 200 });
  try {
    const names = BROWSING_EVENTS.map((name) => literal(name)).join(", ");
    return (
      (
        await duckdb.rows(
          `SELECT 1 AS found FROM ${historySql(store)} WHERE event IN (${names})
           AND occurred_at_ms < ${before} AND known_at_ms < ${before} LIMIT 1`,
        )
      ).length > 0
    );
  } finally {
    duckdb.close();
  }
}

/** A session over the store in which features can be built at any cutoff. Close it after use. */
export interface OfflineStore {
  /** What its facts were made of, as a digest. */
  readonly facts: string;
  /**
   * Writes the rows of the given cutoffs (epoch ms) to one file, Parquet or by its name CSV, ordered by cutoff
   * and key, and returns their number. The file appears whole or not at all. `onCutoff` is told after each cutoff.
   */
  build(request: BuildRequest, onCutoff?: (done: number, total: number) => void): Promise<number>;
  /** How many order lines and browsing events there are, and when the first order was (epoch ms; null without any). */
  describe(): Promise<{
    readonly orderLines: number;
    readonly browsingEvents: number;
    readonly firstOrderAt: number | null;
  }>;
  /** The product groups with their most frequent name. */
  productNames(): Promise<{ readonly product: string; readonly name: string | null }[]>;
  close(): void;
}

export interface BuildRequest {
  readonly service: FeatureService;
  readonly cutoffs: readonly number[];
  readonly spine: Spine;
  readonly labels?: readonly Label[];
  readonly file: string;
}

/** Opens the facts of a store, which are brought up to date with its history first. */
export async function openOfflineStore(store: Store): Promise<OfflineStore> {
  const folder = await factsFolder(store);
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 700 });
  try {
    await openFacts(duckdb, folder);
  } catch (error) {
    duckdb.close();
    throw error;
  }
  return {
    facts: factsDigest(folder),
    build: (request, onCutoff) => build(duckdb, request, onCutoff),
    describe: () => describe(duckdb),
    productNames: async () => {
      const rows = await duckdb.rows(
        `SELECT product, name FROM read_parquet(${literal(join(folder, "product.parquet"))}) ORDER BY product`,
      );
      return rows.map((row) => ({ product: String(row["product"]), name: textOf(row["name"]) }));
    },
    close: () => {
      duckdb.close();
    },
  };
}

function textOf(value: SqlRow[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** Makes the view `fact` over a folder of facts. */
export async function openFacts(duckdb: DuckDb, folder: string): Promise<void> {
  const files = literal(join(folder, "kind=*", "*.parquet"));
  const found = await duckdb.rows(`SELECT count(*) AS n FROM glob(${files})`);
  await duckdb.run(
    Number(found[0]?.["n"]) === 0
      ? `CREATE TEMP VIEW fact AS SELECT ${NO_FACTS} WHERE 1 = 0`
      : `CREATE TEMP VIEW fact AS SELECT * FROM read_parquet(${files}, hive_partitioning = true, hive_types = {'kind': VARCHAR})`,
  );
}

const NO_FACTS = [
  ["customer_id", "INTEGER"],
  ["kind", "VARCHAR"],
  ["event", "VARCHAR"],
  ["occurred_at_ms", "BIGINT"],
  ["known_at_ms", "BIGINT"],
  ["product", "VARCHAR"],
  ["category", "VARCHAR"],
  ["channel", "VARCHAR"],
  ["campaign", "VARCHAR"],
  ["device", "VARCHAR"],
  ["quantity", "BIGINT"],
  ["price", "DOUBLE"],
  ["line_key", "BIGINT"],
]
  .map(([name = "", type = ""]) => `CAST(NULL AS ${type}) AS ${name}`)
  .join(", ");

async function describe(duckdb: DuckDb): ReturnType<OfflineStore["describe"]> {
  const row = (
    await duckdb.rows(
      `SELECT sum(CASE WHEN kind = 'order' THEN 1 ELSE 0 END) AS orders, sum(CASE WHEN kind = 'browse' THEN 1 ELSE 0 END) AS browsing,
              min(CASE WHEN kind = 'order' THEN occurred_at_ms END) AS first FROM fact WHERE kind IN ('order', 'browse')`,
    )
  )[0];
  const first = row?.["first"] ?? null;
  return {
    orderLines: Number(row?.["orders"] ?? 0),
    browsingEvents: Number(row?.["browsing"] ?? 0),
    firstOrderAt: first === null ? null : Number(first),
  };
}

async function build(
  duckdb: DuckDb,
  { service, cutoffs, spine, labels, file }: BuildRequest,
  onCutoff?: (done: number, total: number) => void,
): Promise<number> {
  featuresOf(service);
  await duckdb.run("DROP TABLE IF EXISTS built");
  for (const [index, cutoff] of cutoffs.entries()) {
    await createPopulation(duckdb, service, cutoff);
    const sql = cutoffRowsSql(
      { service, cutoff, spine, ...(labels === undefined ? {} : { labels }) },
      atCutoff(cutoff, duckDbDialect),
    );
    await duckdb.run(
      index === 0 ? `CREATE TEMP TABLE built AS ${sql}` : `INSERT INTO built ${sql}`,
    );
    onCutoff?.(index + 1, cutoffs.length);
  }
  const keys = ENTITY_KEYS[service.entity].join(", ");
  await writeWhole(duckdb, `SELECT * FROM built ORDER BY cutoff_ms, ${keys}`, file);
  const rows = Number((await duckdb.rows("SELECT count(*) AS n FROM built"))[0]?.["n"]);
  await duckdb.run("DROP TABLE built");
  return rows;
}

/** Where a cutoff is not the start of a day, what is known of the population is that of its start. */
async function createPopulation(
  duckdb: DuckDb,
  service: FeatureService,
  cutoff: number,
  catalogue: Catalogue = CATALOGUE,
): Promise<void> {
  if (cutoff % DAY_MS === 0) {
    return;
  }
  const { day, instants } = atStartOfDay(cutoff, duckDbDialect);
  for (const needed of neededFor(service.features, catalogue).views) {
    if (isPopulation(needed.view.entity)) {
      await duckdb.run(
        `CREATE OR REPLACE TEMP TABLE ${populationTableName(needed.view)} AS ${populationSql(needed, day, instants, catalogue)}`,
      );
    }
  }
}

/** Writes a query's rows to a Parquet or CSV file that appears whole or not at all. */
async function writeWhole(duckdb: DuckDb, sql: string, file: string): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  const format = file.endsWith(".csv") ? "FORMAT csv, HEADER" : "FORMAT parquet, COMPRESSION zstd";
  try {
    await duckdb.run(`COPY (${sql}) TO ${literal(partial)} (${format})`);
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
  }
}
