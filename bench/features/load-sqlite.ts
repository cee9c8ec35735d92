import { rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { type DuckDb, literal } from "../../src/base/index.ts";

const ROWS_PER_TRANSACTION = 100_000;

/**
 * Loads events.parquet into events.sqlite: one table in the order of customer and time, which is what the
 * features want; `ts` in epoch seconds.
 */
export async function loadSqlite(duckdb: DuckDb, folder: string): Promise<void> {
  const file = join(folder, "events.sqlite");
  rmSync(file, { force: true });
  const sqlite = new Database(file);
  try {
    sqlite.pragma("journal_mode = OFF");
    sqlite.pragma("synchronous = OFF");
    sqlite.exec(`CREATE TABLE event (
      customer_id INTEGER NOT NULL, ts INTEGER NOT NULL, event_id INTEGER NOT NULL, session_id INTEGER NOT NULL, type TEXT NOT NULL,
      product_id INTEGER NOT NULL, category INTEGER NOT NULL, amount REAL NOT NULL,
      PRIMARY KEY (customer_id, ts, event_id)) STRICT, WITHOUT ROWID`);
    const insert = sqlite.prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    const rows = `SELECT customer_id, CAST(epoch(ts) AS BIGINT) AS moment, event_id, session_id, type, product_id, category, amount
      FROM read_parquet(${literal(join(folder, "events.parquet"))}) ORDER BY customer_id, moment, event_id`;
    let waiting = 0;
    sqlite.exec("BEGIN");
    for await (const columns of duckdb.chunks(rows)) {
      const size = columns[0]?.length ?? 0;
      for (let row = 0; row < size; row++) {
        insert.run(columns.map((column) => column[row]));
      }
      waiting += size;
      if (waiting >= ROWS_PER_TRANSACTION) {
        sqlite.exec("COMMIT; BEGIN");
        waiting = 0;
      }
    }
    sqlite.exec("COMMIT");
  } finally {
    sqlite.close();
  }
}
