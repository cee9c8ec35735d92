import { createHash } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, literal, type Store } from "../base/index.ts";
import {
  createLinkedHistory,
  EventName,
  historyFiles,
  sourceMappings,
} from "../collection/index.ts";
import { identitySql } from "../customers/index.ts";
import { duckDbDialect } from "./dialect.ts";
import { eventKindSql, factSql } from "./facts-sql.ts";
import { productGroupSql, productRules } from "./product-group.ts";

/** Raise it when facts change their meaning. */
const FACTS_VERSION = 1;
const PREFIX = "facts-";
const KEPT = 2;

/** How facts are made. */
export interface FactsOptions {
  /** Writes them into a folder that is not there yet; DuckDB does unless said. */
  readonly write?: (folder: string) => Promise<void>;
}

/**
 * The folder of facts (Parquet, partitioned by kind): every event line that features read, with its customer
 * and product group, narrow and typed. Made once from the history, the identities and the mappings of now,
 * and used again until one of them changes; readers of the one before may go on.
 */
export async function factsFolder(store: Store, options: FactsOptions = {}): Promise<string> {
  const folder = store.path("features");
  const target = join(folder, `${PREFIX}${digestOf(store)}`);
  if (!existsSync(target)) {
    const partial = `${target}.${process.pid}.partial`;
    rmSync(partial, { recursive: true, force: true });
    try {
      await (options.write ?? ((to) => writeFacts(store, to)))(partial);
      settle(partial, target);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
    removeFormer(folder);
  }
  return target;
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

/** Everything that facts follow from. */
function digestOf(store: Store): string {
  const mappings = [...sourceMappings(store)];
  const content = JSON.stringify([
    FACTS_VERSION,
    historyFiles(store),
    identitySql(store),
    mappings,
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

/** Writes facts by DuckDB alone. */
export async function writeFacts(store: Store, folder: string): Promise<void> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 700 });
  try {
    await createFactParts(duckdb, store);
    await duckdb.run(`CREATE TEMP TABLE identity AS SELECT * FROM ${identitySql(store)}`);
    await duckdb.run(`CREATE TEMP TABLE event_kind AS ${eventKindSql(duckDbDialect)}`);
    await duckdb.run("SET preserve_insertion_order = false");
    await duckdb.run(
      `COPY (${factSql(duckDbDialect)}) TO ${literal(folder)} (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (kind))`,
    );
    await writeProductNames(duckdb, folder);
  } finally {
    duckdb.close();
  }
}

/**
 * Makes the session's small tables that facts are joined from: `linked_refund`, `product_group` and `taken_line`,
 * besides the view `history`.
 */
export async function createFactParts(duckdb: DuckDb, store: Store): Promise<void> {
  await createLinkedHistory(duckdb, store);
  await duckdb.run(
    `CREATE TEMP TABLE product_group AS
     SELECT source, product_id, ${productGroupSql(productRules(store))} AS product
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
         SELECT g.product, h.product_name, count(*) * 1000000 + length(h.product_name) AS n
         FROM history h JOIN product_group g USING (source, product_id)
         WHERE g.product IS NOT NULL AND h.event = ${literal(EventName.orderCompleted)} GROUP BY 1, 2
       ) GROUP BY 1 ORDER BY 1
     ) TO ${literal(join(folder, "product.parquet"))} (FORMAT parquet)`,
  );
}
