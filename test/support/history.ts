import type { SqlRow, Store } from "../../src/base/index.ts";
import { historySql } from "../../src/collection/index.ts";

/** The rows of the history in the order of time, message and line. */
export async function historyRows(store: Store, where = "true"): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  try {
    return await duckdb.rows(
      `SELECT * FROM ${historySql(store)} WHERE ${where} ORDER BY occurred_at_ms, message_id, line, product_id`,
    );
  } finally {
    duckdb.close();
  }
}
