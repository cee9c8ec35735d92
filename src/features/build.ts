import { mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { DAY_MS, type DuckDb, literal } from "../base/index.ts";
import { CATALOGUE, type Catalogue, neededFor } from "./catalogue.ts";
import { duckDbDialect } from "./dialect.ts";
import { FACT_COLUMNS } from "./fact.ts";
import { bucketsOf } from "./facts.ts";
import type { FeatureService } from "./feature-service.ts";
import { ENTITY_KEYS, isPopulation } from "./feature-view.ts";
import { atCutoff } from "./instants.ts";
import { lateCustomersSql } from "./late-customers.ts";
import {
  atStartOfDay,
  cutoffRowsSql,
  type Label,
  populationSql,
  populationTableName,
  type Spine,
} from "./rows-sql.ts";
import { SHARED } from "./shared-columns.ts";
import { mostShared, sharedSql } from "./shared-views.ts";

export interface BuildRequest {
  readonly service: FeatureService;
  readonly cutoffs: readonly number[];
  readonly spine: Spine;
  readonly labels?: readonly Label[];
  readonly file: string;
  /** Herkoop's own unless said. */
  readonly catalogue?: Catalogue;
}

/** The facts at hand, as the view `fact`. */
export interface Facts {
  readonly buckets: number;
  /** Makes `fact` hold everybody's, or a bucket's customers' with the refunds of all. */
  open(bucket: number | "all"): Promise<void>;
}

/** A folder of facts to be read in a session. */
export function factsOf(duckdb: DuckDb, folder: string): Facts {
  const buckets = bucketsOf(folder);
  return {
    buckets: Math.max(buckets, 1),
    open: async (bucket) => {
      await duckdb.run(
        `CREATE OR REPLACE TEMP VIEW fact AS ${buckets === 0 ? NO_FACTS : bucketSql(folder, bucket)}`,
      );
    },
  };
}

/** A refund takes back a line by its key, and may be of a customer of another bucket than the line. */
function bucketSql(folder: string, bucket: number | "all"): string {
  const files = readdirSync(folder)
    .filter((kind) => kind.startsWith("kind="))
    .flatMap((kind) =>
      readdirSync(join(folder, kind))
        .filter((name) => bucket === "all" || kind === "kind=refund" || name === `bucket=${bucket}`)
        .map((name) => literal(join(folder, kind, name, "*.parquet"))),
    );
  return files.length === 0
    ? NO_FACTS
    : `SELECT * EXCLUDE (bucket) FROM read_parquet([${files.join(", ")}], hive_partitioning = true, hive_types = {'kind': VARCHAR, 'bucket': INTEGER})`;
}

const NO_FACTS = `SELECT ${FACT_COLUMNS.map(([name, type]) => `CAST(NULL AS ${type}) AS ${name}`).join(", ")} WHERE 1 = 0`;

/**
 * Writes the rows of a request to its file and returns their number. One bucket of customers at one cutoff
 * is in memory at a time; buckets are in the order of customers, so that their parts, one after the other,
 * are in the order of cutoff and key. The file appears whole or not at all.
 */
export async function buildFile(
  duckdb: DuckDb,
  facts: Facts,
  temporary: string,
  request: BuildRequest,
  onCutoff?: (done: number, total: number) => void,
): Promise<number> {
  const { service, cutoffs } = request;
  const isParted = facts.buckets > 1 && !isPopulation(service.entity);
  const buckets = isParted ? Array.from({ length: facts.buckets }, (_, bucket) => bucket) : [0];
  const parts = mkdtempSync(join(temporary, "parts-"));
  const partOf = (cutoff: number, bucket: number): string =>
    join(parts, `${cutoff}-${bucket}.parquet`);
  await duckdb.run("SET preserve_insertion_order = false");
  try {
    const passes = passesOf(request);
    await createPopulation(duckdb, request, isParted);
    let done = 0;
    for (const bucket of buckets) {
      if (isParted) {
        await facts.open(bucket);
      }
      for (const pass of passes) {
        const shared = await createShared(duckdb, request, pass);
        for (const [index, cutoff] of pass.entries()) {
          const made = shared === undefined ? undefined : { ...shared, index };
          const sql = rowsSql(request, cutoff, isParted, made);
          const part = partOf(cutoff, bucket);
          await duckdb.run(`COPY (${sql}) TO ${literal(part)} (${PART})`);
          done++;
          onCutoff?.(Math.floor(done / buckets.length), cutoffs.length);
        }
      }
    }
    const files = cutoffs.flatMap((cutoff) => buckets.map((bucket) => partOf(cutoff, bucket)));
    return await joinParts(duckdb, files, request.file, basename(parts));
  } finally {
    await duckdb.run("SET preserve_insertion_order = true");
    await facts.open("all");
    rmSync(parts, { recursive: true, force: true });
  }
}

const PART = "FORMAT parquet, COMPRESSION snappy";

/** So many values make a row group of a file: its writer and each of its readers hold some groups at a time. */
const VALUES_PER_GROUP = 4_000_000;

/** The cutoffs in order of time, those together that share a pass over the facts. */
function passesOf({
  service,
  cutoffs,
  catalogue = CATALOGUE,
}: BuildRequest): readonly (readonly number[])[] {
  const distinct = [...new Set(cutoffs)].sort((a, b) => a - b);
  const most = mostShared(service, distinct, catalogue);
  const length = Math.ceil(distinct.length / Math.ceil(distinct.length / most));
  return Array.from({ length: Math.ceil(distinct.length / length) }, (_, index) =>
    distinct.slice(index * length, (index + 1) * length),
  );
}

/** Makes what the cutoffs of a pass share; of customers of whom something came late, each cutoff is computed by itself. */
async function createShared(
  duckdb: DuckDb,
  { service, catalogue = CATALOGUE }: BuildRequest,
  pass: readonly number[],
): Promise<{ readonly hasLate: boolean } | undefined> {
  const last = pass.at(-1);
  if (last === undefined || pass.length === 1) {
    return undefined;
  }
  await duckdb.run(`CREATE OR REPLACE TEMP TABLE late_customer AS ${lateCustomersSql(pass)}`);
  const [late] = await duckdb.rows("SELECT count(*) AS n FROM late_customer");
  const hasLate = late?.["n"] !== 0;
  const instants = atCutoff(last, duckDbDialect, hasLate ? IS_TIMELY : undefined);
  const sql = sharedSql(neededFor(service.features, catalogue), pass, instants, catalogue);
  await duckdb.run(`CREATE OR REPLACE TEMP TABLE ${SHARED} AS ${sql}`);
  return { hasLate };
}

const IS_LATE = "customer_id IN (SELECT customer_id FROM late_customer)";
const IS_TIMELY = "customer_id NOT IN (SELECT customer_id FROM late_customer)";

/** The rows of one cutoff in order. */
function rowsSql(
  { service, spine, labels, catalogue }: BuildRequest,
  cutoff: number,
  hasPopulationApart: boolean,
  shared?: { readonly index: number; readonly hasLate: boolean },
): string {
  const asked = {
    service,
    cutoff,
    spine,
    hasPopulationApart,
    ...(labels === undefined ? {} : { labels }),
  };
  const madeOf = (sharedIndex?: number, whose?: string): string =>
    `(${cutoffRowsSql(
      { ...asked, ...(sharedIndex === undefined ? {} : { sharedIndex }) },
      atCutoff(cutoff, duckDbDialect, whose),
      catalogue,
    )})`;
  const made =
    shared?.hasLate === true
      ? [madeOf(shared.index, IS_TIMELY), madeOf(undefined, IS_LATE)]
      : [madeOf(shared?.index)];
  const order = ["cutoff_ms", ...ENTITY_KEYS[service.entity]].join(", ");
  return `SELECT * FROM (${made.join(" UNION ALL ")}) made ORDER BY ${order}`;
}

/**
 * What is known of the population at the start of each day whose cutoffs need it apart: where the cutoff is
 * later in the day, or the facts are read in parts.
 */
async function createPopulation(
  duckdb: DuckDb,
  { service, cutoffs, catalogue = CATALOGUE }: BuildRequest,
  isParted: boolean,
): Promise<void> {
  const apart = cutoffs.filter((cutoff) => isParted || cutoff % DAY_MS !== 0);
  const starts = new Map(
    apart
      .map((cutoff) => atStartOfDay(cutoff, duckDbDialect))
      .map(({ day, instants }) => [day, instants]),
  );
  for (const needed of neededFor(service.features, catalogue).views) {
    if (isPopulation(needed.view.entity)) {
      const table = populationTableName(needed.view);
      await duckdb.run(`DROP TABLE IF EXISTS ${table}`);
      for (const [index, [day, instants]] of [...starts].entries()) {
        const sql = populationSql(needed, day, instants, catalogue);
        await duckdb.run(
          index === 0 ? `CREATE TEMP TABLE ${table} AS ${sql}` : `INSERT INTO ${table} ${sql}`,
        );
      }
    }
  }
}

/** Puts parts behind each other into one Parquet or, by its name, CSV file, and returns the number of rows. */
async function joinParts(
  duckdb: DuckDb,
  parts: readonly string[],
  file: string,
  ownName: string,
): Promise<number> {
  const partial = `${file}.${ownName}.partial`;
  const all = `read_parquet([${parts.map(literal).join(", ")}])`;
  try {
    await duckdb.run("SET preserve_insertion_order = true");
    const columns = (await duckdb.rows(`DESCRIBE SELECT * FROM ${all}`)).length;
    const group = Math.min(122_880, Math.ceil(VALUES_PER_GROUP / columns / 2048) * 2048);
    const format = file.endsWith(".csv")
      ? "FORMAT csv, HEADER"
      : `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${group}`;
    await duckdb.run(`COPY (SELECT * FROM ${all}) TO ${literal(partial)} (${format})`);
    renameSync(partial, file);
    const [row] = await duckdb.rows(`SELECT count(*) AS n FROM ${all}`);
    return Number(row?.["n"]);
  } finally {
    rmSync(partial, { force: true });
  }
}
