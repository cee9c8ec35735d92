import { createHash } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type DuckDb, literal, type Store, workingMemoryMiB } from "../base/index.ts";
import {
  createLinkedHistory,
  EventName,
  historyFiles,
  manifest,
  sourceMappings,
} from "../collection/index.ts";
import { identitySql, resolvedLinesSql } from "../customers/index.ts";
import { duckDbDialect } from "./dialect.ts";
import { watchErasure } from "./erasure-watch.ts";
import { eventKindSql, factSql } from "./facts-sql.ts";
import { isCategoryGrainSql, productGroupSql, productRules } from "./product-group.ts";

/** Raise it when facts change their meaning. */
const FACTS_VERSION = 3;
const PREFIX = "facts-";
const KEPT = 2;
/** As many fit into memory with what features make of them. */
const LINES_PER_BUCKET = 2_000_000;

/** How facts are made and read. */
export interface FactsOptions {
  /** Memory of a session; a share of the machine's unless said. */
  readonly memoryLimitMiB?: number;
  /** How many lines of the history a bucket of customers has at most, about. */
  readonly linesPerBucket?: number;
  /** Writes them into a folder that is not there yet; DuckDB does unless said. */
  readonly write?: (folder: string) => Promise<void>;
}

/**
 * The folder of facts (Parquet, partitioned by kind and bucket): every event line that features read, with its
 * customer and product group, narrow and typed. Buckets are ranges of customers in their order, about as long
 * as each other. Made once from the history, the identities and the mappings of now, and used again until one
 * of them changes; readers of the one before may go on.
 */
export async function factsFolder(store: Store, options: FactsOptions = {}): Promise<string> {
  const folder = store.path("features");
  const target = join(folder, `${PREFIX}${digestOf(store, options)}`);
  if (!existsSync(target)) {
    const partial = store.partial(target);
    try {
      const wasErased = watchErasure(store);
      await (options.write ?? ((to) => writeFacts(store, to, options)))(partial);
      if (wasErased()) {
        return await factsFolder(store, options);
      }
      settle(partial, target);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
    removeFormer(folder);
  }
  return target;
}

/** What a folder of facts was made of, as a digest: the same for the same history, identities and mappings. */
export function factsDigest(folder: string): string {
  return basename(folder).slice(PREFIX.length);
}

/** Another process may have made the same meanwhile. */
function settle(partial: string, target: string): void {
  try {
    renameSync(partial, target);
  } catch (error) {
    if (!existsSync(target)) {
      throw error;
    }
  }
}

/** The number of buckets in a folder of facts; 0 where there are no facts. */
export function bucketsOf(folder: string): number {
  const found = readdirSync(folder)
    .filter((kind) => kind.startsWith("kind="))
    .flatMap((kind) => readdirSync(join(folder, kind)))
    .map((bucket) => Number(bucket.slice("bucket=".length)));
  return found.length === 0 ? 0 : Math.max(...found) + 1;
}

/** Everything that facts follow from. */
function digestOf(store: Store, options: FactsOptions): string {
  const mappings = [...sourceMappings(store)];
  const content = JSON.stringify([
    FACTS_VERSION,
    historyFiles(store),
    identitySql(store),
    mappings,
    bucketCount(store, options),
  ]);
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

function removeFormer(folder: string): void {
  const made = readdirSync(folder)
    .filter((name) => name.startsWith(PREFIX) && !name.endsWith(".partial"))
    .map((name) => ({ name, at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { name } of made.slice(KEPT)) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function bucketCount(store: Store, { linesPerBucket = LINES_PER_BUCKET }: FactsOptions): number {
  return Math.max(1, Math.ceil(lineCount(store) / linesPerBucket));
}

function lineCount(store: Store): number {
  return manifest(store).reduce((sum, file) => sum + file.rows, 0);
}

/** Writes facts by DuckDB alone. */
export async function writeFacts(
  store: Store,
  folder: string,
  options: FactsOptions = {},
): Promise<void> {
  const duckdb = await store.openDuckDb({
    memoryLimitMiB: options.memoryLimitMiB ?? workingMemoryMiB(),
  });
  try {
    await createFactParts(duckdb, store);
    await duckdb.run(`CREATE TEMP TABLE identity AS SELECT * FROM ${identitySql(store)}`);
    await duckdb.run(`CREATE TEMP TABLE event_kind AS ${eventKindSql(duckDbDialect)}`);
    await duckdb.run("SET preserve_insertion_order = false");
    const bucket = await bucketSql(duckdb, store, options);
    await duckdb.run(
      `COPY (SELECT *, ${bucket} AS bucket FROM (${factSql(duckDbDialect)}) facts) TO ${literal(folder)}
       (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (kind, bucket))`,
    );
    await writeProductNames(duckdb, folder);
  } finally {
    duckdb.close();
  }
}

/** From so many lines on, a sample of them says how they are spread over the customers. */
const SAMPLED_LINES = 2_000_000;

/**
 * Which bucket a customer is in, as SQL of every engine. Any bounds are right; good ones make the buckets alike.
 * The session has `history` and `identity`.
 */
export async function bucketSql(
  duckdb: DuckDb,
  store: Store,
  options: FactsOptions,
): Promise<string> {
  const count = bucketCount(store, options);
  if (count === 1) {
    return "0";
  }
  const lines = lineCount(store);
  const sample = lines > SAMPLED_LINES ? " USING SAMPLE 2 PERCENT (system, 1)" : "";
  const sampled = `(SELECT user_id, anonymous_id, identifiers, is_claim, known_at_ms FROM history${sample})`;
  const quantiles = Array.from(
    { length: count - 1 },
    (_, index) => `quantile_disc(customer_id, ${(index + 1) / count}) AS bound_${index}`,
  );
  const [row] = await duckdb.rows(
    `SELECT ${quantiles.join(", ")} FROM (${resolvedLinesSql(sampled, "identity")}) resolved`,
  );
  const bounds = [...new Set(Object.values(row ?? {}))].filter((bound) => bound !== null);
  const cases = bounds.map((bound, index) => `WHEN customer_id < ${bound} THEN ${index}`);
  return cases.length === 0 ? "0" : `CASE ${cases.join(" ")} ELSE ${cases.length} END`;
}

/**
 * Makes the session's small tables that facts are joined from: `linked_refund`, `product_group` and `taken_line`,
 * besides the view `history`.
 */
export async function createFactParts(duckdb: DuckDb, store: Store): Promise<void> {
  await createLinkedHistory(duckdb, store);
  await duckdb.run(
    `CREATE TEMP TABLE product_group AS
     SELECT source, product_id, ${productGroupSql(productRules(store))} AS product,
            ${isCategoryGrainSql(productRules(store))} AS is_category
     FROM (SELECT DISTINCT source, product_id FROM history WHERE product_id IS NOT NULL)`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE taken_line AS
     SELECT row_number() OVER (ORDER BY source, message_id, line) AS line_key, source, message_id, line FROM (
       SELECT DISTINCT source, refunded_message_id AS message_id, refunded_line AS line
       FROM linked_refund WHERE refunded_message_id IS NOT NULL)`,
  );
}

/** Writes product.parquet: each product group with its most frequent name. Call it after `createFactParts`. */
export async function writeProductNames(duckdb: DuckDb, folder: string): Promise<void> {
  await duckdb.run(
    `COPY (
       SELECT product, max_by(product_name, {'n': n, 'name': product_name}) AS name FROM (
         SELECT CASE WHEN g.is_category THEN coalesce(h.category, g.product) ELSE g.product END AS product,
                CASE WHEN g.is_category AND h.category IS NOT NULL THEN h.category ELSE h.product_name END AS product_name, count(*) * 1000000 + coalesce(max(length(h.product_name)), 0) AS n
         FROM history h JOIN product_group g USING (source, product_id)
         WHERE g.product IS NOT NULL AND h.event = ${literal(EventName.orderCompleted)} GROUP BY 1, 2
       ) GROUP BY 1 ORDER BY 1
     ) TO ${literal(join(folder, "product.parquet"))} (FORMAT parquet)`,
  );
}
