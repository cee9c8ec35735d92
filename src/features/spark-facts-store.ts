import { mkdirSync, rmSync } from "node:fs";
import { totalmem } from "node:os";
import { basename, dirname, join } from "node:path";
import {
  type DuckDb,
  literal,
  runSparkSql,
  type SparkSqlOptions,
  type Store,
  sparkLiteral,
  viewStatement,
  workingMemoryMiB,
} from "../base/index.ts";
import { HISTORY_COLUMNS, historyFiles, IS_REFUND } from "../collection/index.ts";
import { identityFile, identitySql } from "../customers/index.ts";
import { sparkDialect } from "./dialect.ts";
import {
  bucketSql,
  createFactParts,
  type FactsOptions,
  writeFacts,
  writeProductNames,
} from "./facts.ts";
import { eventKindSql, factSql } from "./facts-sql.ts";

/** Where and how Spark runs. */
export type SparkEngine = Pick<SparkSqlOptions, "spark" | "master" | "conf" | "signal">;

/** On this machine the driver computes, and may have half of the memory, at most 8 GiB. */
export function localConf(master: string): Record<string, string> {
  const memory = Math.max(1, Math.min(8, Math.floor(totalmem() / 2 ** 31)));
  return master.startsWith("local") ? { "spark.driver.memory": `${memory}g` } : {};
}

const SPARK_TYPES = {
  BIGINT: "BIGINT",
  BOOLEAN: "BOOLEAN",
  DOUBLE: "DOUBLE",
  INTEGER: "INT",
  VARCHAR: "STRING",
} as const;

/** Columns with DuckDB's types in Spark's words. */
export function sparkTypes(
  columns: readonly (readonly [string, keyof typeof SPARK_TYPES])[],
): Record<string, string> {
  return Object.fromEntries(columns.map(([name, type]) => [name, SPARK_TYPES[type]]));
}

const PARTS = ["linked_refund", "product_group", "taken_line"] as const;

/**
 * Writes the facts that `writeFacts` writes, computed by Spark over the files of the history. What is small or
 * takes more than SQL is made on this machine: which line a refund takes back, which group a product is of.
 */
export async function writeFactsOnSpark(
  store: Store,
  folder: string,
  engine: SparkEngine,
  options: FactsOptions = {},
): Promise<void> {
  const files = historyFiles(store).map((name) => join(store.path("history"), name));
  const identity = identityFile(store);
  if (files.length === 0 || identity === undefined) {
    await writeFacts(store, folder, options);
    return;
  }
  const parts = join(dirname(folder), `parts-${basename(folder)}`);
  const duckdb = await store.openDuckDb({
    memoryLimitMiB: options.memoryLimitMiB ?? workingMemoryMiB(),
  });
  try {
    mkdirSync(parts, { recursive: true });
    await createFactParts(duckdb, store);
    await writeParts(duckdb, parts);
    await duckdb.run(`CREATE TEMP VIEW identity AS SELECT * FROM ${identitySql(store)}`);
    const bucket = await bucketSql(duckdb, store, options);
    await runSparkSql({
      ...engine,
      conf: { ...localConf(engine.master), ...engine.conf },
      statements: [
        viewStatement({ name: "history_line", files, columns: sparkTypes(HISTORY_COLUMNS) }),
        viewStatement({ name: "identity", files: [identity] }),
        ...PARTS.map((name) => viewStatement({ name, files: [join(parts, `${name}.parquet`)] })),
        `CREATE TEMPORARY VIEW event_kind AS ${eventKindSql(sparkDialect)}`,
        `CREATE TEMPORARY VIEW history AS ${LINKED_HISTORY}`,
        // INSERT OVERWRITE DIRECTORY knows no partitions, a table's folder does.
        `CREATE TABLE facts USING parquet OPTIONS (compression 'snappy') PARTITIONED BY (kind, bucket)
         LOCATION ${sparkLiteral(`file:${folder}`)} AS SELECT /*+ REBALANCE(kind, bucket) */ * FROM (
           SELECT *, ${bucket} AS bucket FROM (${factSql(sparkDialect)}) f) b`,
      ],
      temporaryFolder: store.path("temporary"),
    });
    await writeProductNames(duckdb, folder);
  } finally {
    duckdb.close();
    rmSync(parts, { recursive: true, force: true });
  }
}

async function writeParts(duckdb: DuckDb, folder: string): Promise<void> {
  for (const name of PARTS) {
    await duckdb.run(
      `COPY ${name} TO ${literal(join(folder, `${name}.parquet`))} (FORMAT parquet, COMPRESSION zstd)`,
    );
  }
}

const COLUMNS = HISTORY_COLUMNS.map(([name]) => name).join(", ");

/** As in `createLinkedHistory`, once refunds are linked. */
const LINKED_HISTORY = `
  SELECT ${COLUMNS}, CAST(NULL AS STRING) AS refunded_message_id, CAST(NULL AS INT) AS refunded_line
  FROM history_line WHERE NOT ${IS_REFUND}
  UNION ALL SELECT ${COLUMNS}, refunded_message_id, refunded_line FROM linked_refund`;
