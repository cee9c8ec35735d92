import type { SqlRow, Store } from "../../src/base/index.ts";
import { createLinkedHistory, historySql } from "../../src/collection/index.ts";

/** Rows of the history by an SQL query over `history`. */
export async function historyRows(store: Store, query: string): Promise<SqlRow[]> {
  return readRows(store, `WITH history AS (SELECT * FROM ${historySql(store)}) ${query}`);
}

/** Rows of an SQL query over `history` with its refunds linked. */
export async function linkedRows(store: Store, query: string): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  try {
    await createLinkedHistory(duckdb, store);
    return await duckdb.rows(query);
  } finally {
    duckdb.close();
  }
}

/** Rows of an SQL query over the store's files. */
export async function readRows(store: Store, sql: string): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  try {
    return await duckdb.rows(sql);
  } finally {
    duckdb.close();
  }
}

/** Every message id with its number of lines, sealed or not. */
export async function linesByMessage(store: Store): Promise<Map<string, number>> {
  const sealed = await historyRows(store, "SELECT message_id AS id FROM history");
  const waiting = store.sqlite
    .prepare<[], { id: string }>("SELECT message_id AS id FROM inbox")
    .all();
  const counts = new Map<string, number>();
  for (const { id } of [...sealed, ...waiting]) {
    counts.set(String(id), (counts.get(String(id)) ?? 0) + 1);
  }
  return counts;
}

/** An order of two products as a track call. */
export function orderCall(messageId: string, changes: object = {}): object {
  return {
    type: "track",
    messageId,
    userId: "u1",
    event: "Order Completed",
    timestamp: "2011-12-09T10:00:00Z",
    properties: {
      order_id: `order-${messageId}`,
      currency: "EUR",
      products: [
        { product_id: "A", name: "Soap", quantity: 2, price: 3.5 },
        { product_id: "B", name: "Towel", price: "9.00" },
      ],
    },
    ...changes,
  };
}
