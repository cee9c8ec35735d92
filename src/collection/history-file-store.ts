import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, literal, type Store } from "../base/index.ts";
import { emptyHistorySql, HISTORY_COLUMNS } from "./event.ts";
import type { HistoryFile } from "./history-store.ts";

/**
 * Writes the session's `event_line` (made from `new_line`) as a history file, flushed; null where
 * there are none. Not visible until it is recorded.
 */
export async function writeHistory(
  duckdb: DuckDb,
  store: Store,
  origin: Pick<HistoryFile, "name" | "source" | "importRunId">,
): Promise<HistoryFile | null> {
  const summary = (
    await duckdb.rows(
      `SELECT count(*) AS n, min(occurred_at_ms) AS first, max(occurred_at_ms) AS last, max(known_at_ms) AS known FROM new_line`,
    )
  )[0];
  if (summary === undefined || summary["n"] === 0) {
    return null;
  }
  const target = join(store.path("history"), origin.name);
  const columns = HISTORY_COLUMNS.map(
    ([column, type]) => `CAST(${column} AS ${type}) AS ${column}`,
  );
  await duckdb.run(
    `COPY (SELECT ${columns.join(", ")} FROM (SELECT * FROM ${emptyHistorySql()} UNION ALL BY NAME SELECT * FROM event_line) ORDER BY occurred_at_ms, row_number, line)
     TO ${literal(`${target}.partial`)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  flush(`${target}.partial`);
  renameSync(`${target}.partial`, target);
  flush(store.path("history"));
  return {
    ...origin,
    rows: Number(summary["n"]),
    firstOccurredAt: Number(summary["first"]),
    lastOccurredAt: Number(summary["last"]),
    lastKnownAt: Number(summary["known"]),
  };
}

function flush(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}
