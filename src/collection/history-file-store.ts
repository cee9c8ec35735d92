import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, literal, type Store } from "../base/index.ts";
import { emptyHistorySql, HISTORY_COLUMNS } from "./event.ts";
import type { HistoryFile } from "./history-store.ts";
import { IS_REFUND } from "./refund-sql.ts";

/** The order of rows in a merged file: total, so that the same rows always make the same file. */
export const HISTORY_ORDER = "occurred_at_ms, source, message_id, line";

/** From here on sorting takes longer than all the rest of an import, and such files mostly come in order. */
const SORTED_ROWS_MAX = 2_000_000;

/**
 * Writes the session's `new_line` as a history file, ordered by time unless it is very large; null
 * where there are no rows. Not visible until it is recorded.
 */
export async function writeHistory(
  duckdb: DuckDb,
  store: Store,
  origin: Pick<HistoryFile, "name" | "source" | "importRunId">,
): Promise<HistoryFile | null> {
  const columns = HISTORY_COLUMNS.map(
    ([column, type]) => `CAST(${column} AS ${type}) AS ${column}`,
  );
  const [counted] = await duckdb.rows("SELECT count(*) AS n FROM new_line");
  const isSorted = Number(counted?.["n"]) <= SORTED_ROWS_MAX;
  const positive = `CASE WHEN ${IS_REFUND} THEN abs(quantity) ELSE quantity END`;
  return writeHistoryFile(
    duckdb,
    store,
    origin,
    `SELECT ${columns.join(", ")} FROM (SELECT * FROM ${emptyHistorySql()} UNION ALL BY NAME SELECT * REPLACE (${positive} AS quantity) FROM new_line)
     ${isSorted ? "ORDER BY occurred_at_ms, row_number, line" : ""}`,
  );
}

/** A fourth less time than with the engine's defaults, and files as small: most of them is ids, which nothing makes smaller. */
const FORM = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, WRITE_BLOOM_FILTER false";

/**
 * Writes a query's rows as a history file, flushed; null, and no file, where there are none. Not
 * visible until it is recorded.
 */
export async function writeHistoryFile(
  duckdb: DuckDb,
  store: Store,
  origin: Pick<HistoryFile, "name" | "source" | "importRunId">,
  query: string,
): Promise<HistoryFile | null> {
  const target = join(store.path("history"), origin.name);
  const partial = `${target}.partial`;
  await duckdb.run(`COPY (${query}) TO ${literal(partial)} (${FORM})`);
  const [summary] = await duckdb.rows(
    `SELECT count(*) AS n, min(occurred_at_ms) AS first, max(occurred_at_ms) AS last, max(known_at_ms) AS known
     FROM read_parquet(${literal(partial)})`,
  );
  if (summary === undefined || summary["n"] === 0) {
    rmSync(partial);
    return null;
  }
  flush(partial);
  renameSync(partial, target);
  flush(store.path("history"));
  return {
    ...origin,
    rows: Number(summary["n"]),
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
