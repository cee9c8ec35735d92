import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, literal, type Store } from "../base/index.ts";
import { checksumOf } from "./checksum.ts";
import { emptyHistorySql, HISTORY_COLUMNS } from "./event.ts";
import { factsOption, type HistoryFacts } from "./history-facts.ts";
import type { HistoryFile } from "./history-store.ts";
import { identityOf } from "./manifest-change-store.ts";
import { IS_REFUND } from "./refund-sql.ts";

/** The order of rows in a merged file: total, so that the same rows always make the same file. */
export const HISTORY_ORDER = "occurred_at_ms, source, message_id, line";

/** From here on sorting takes longer than all the rest of an import, and such files mostly come in order. */
const SORTED_ROWS_MAX = 2_000_000;

/** Where a file's rows come from, as far as its metadata tells. */
export interface Origin extends Pick<HistoryFile, "name" | "source" | "importRunId"> {
  readonly imports: HistoryFacts["imports"];
  readonly mappings: HistoryFacts["mappings"];
  /** Files whose rows it takes over. */
  readonly replaces: readonly string[];
}

/**
 * Writes the session's `new_line` as a history file, ordered by time unless it is very large; null
 * where there are no rows. Not visible until it is recorded.
 */
export async function writeHistory(
  duckdb: DuckDb,
  store: Store,
  origin: Omit<Origin, "replaces">,
): Promise<HistoryFile | null> {
  const columns = HISTORY_COLUMNS.map(
    ([column, type]) => `CAST(${column} AS ${type}) AS ${column}`,
  );
  const [counted] = await duckdb.rows("SELECT count(*) AS n FROM new_line");
  const rows = Number(counted?.["n"]);
  const isSorted = rows <= SORTED_ROWS_MAX;
  const positive = `CASE WHEN ${IS_REFUND} THEN abs(quantity) ELSE quantity END`;
  return writeHistoryFile(
    duckdb,
    store,
    { ...origin, replaces: [] },
    rows,
    `SELECT ${columns.join(", ")} FROM (SELECT * FROM ${emptyHistorySql()} UNION ALL BY NAME SELECT * REPLACE (${positive} AS quantity) FROM new_line)
     ${isSorted ? "ORDER BY occurred_at_ms, row_number, line" : ""}`,
  );
}

/** A fourth less time than with the engine's defaults, and files as small: most of them is ids, which nothing makes smaller. */
const FORM = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, WRITE_BLOOM_FILTER false";

/**
 * Writes a query's rows, of which there are so many, as a history file, flushed; null, and no file, where there are none.
 * Its metadata tell what is needed to list it again without the database. Not visible until it is recorded.
 */
export async function writeHistoryFile(
  duckdb: DuckDb,
  store: Store,
  origin: Origin,
  rows: number,
  query: string,
): Promise<HistoryFile | null> {
  const target = join(store.path("history"), origin.name);
  const partial = `${target}.partial`;
  const { name, source, importRunId, imports, mappings, replaces } = origin;
  const { storeId, generation } = identityOf(store);
  const facts: HistoryFacts = {
    format: 1,
    ...{ storeId, generation: generation + 1, source, importRunId, rows, imports, mappings },
    replaces: [...replaces],
  };
  await duckdb.run(`COPY (${query}) TO ${literal(partial)} (${FORM}, ${factsOption(facts)})`);
  const [summary] = await duckdb.rows(
    `SELECT count(*) AS n, min(occurred_at_ms) AS first, max(occurred_at_ms) AS last, max(known_at_ms) AS known
     FROM read_parquet(${literal(partial)})`,
  );
  if (summary === undefined || summary["n"] === 0) {
    rmSync(partial);
    return null;
  }
  if (Number(summary["n"]) !== rows) {
    throw new Error(`${name}: expected ${rows} rows, wrote ${String(summary["n"])}`);
  }
  flush(partial);
  const checksum = await checksumOf(partial);
  renameSync(partial, target);
  flush(store.path("history"));
  return {
    ...{ name, source, importRunId, rows },
    ...checksum,
    firstOccurredAt: Number(summary["first"]),
    lastOccurredAt: Number(summary["last"]),
    lastKnownAt: Number(summary["known"]),
  };
}

/** Makes what was written to a file or a folder durable. */
export function flush(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}
