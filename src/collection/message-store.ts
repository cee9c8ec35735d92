import {
  type DuckDb,
  literal,
  messageKey,
  type Sqlite,
  type Store,
  writeInTurns,
} from "../base/index.ts";
import { historySql } from "./history-store.ts";

/** Forgets that messages ever came, so that their ids, too, are gone. Call inside a transaction. */
export function forgetMessages(
  sqlite: Sqlite,
  messages: Iterable<readonly [source: string, messageId: string]>,
): number {
  const forget = sqlite.prepare("DELETE FROM message WHERE key = ?");
  let forgotten = 0;
  for (const [source, messageId] of messages) {
    forgotten += forget.run(messageKey(source, messageId)).changes;
  }
  return forgotten;
}

/**
 * Makes the messages in history files (of one source if given) known, so that one that is sent again is a duplicate. In
 * bounded memory and in turns, between which others write. Returns how many were not known before.
 */
export async function learnMessages(
  duckdb: DuckDb,
  store: Store,
  files: readonly string[],
  source?: string,
): Promise<number> {
  const add = store.sqlite.prepare("INSERT INTO message VALUES (?) ON CONFLICT DO NOTHING");
  let learned = 0;
  const addKey = (key: unknown): void => {
    learned += add.run(Buffer.from(String(key), "hex")).changes;
  };
  const isAsked = source === undefined ? "line = 0" : `line = 0 AND source = ${literal(source)}`;
  // In the order of the table that they go to.
  const keys = `SELECT substr(sha256(source || chr(10) || message_id), 1, 32) AS key
    FROM ${historySql(store, files)} WHERE ${isAsked} ORDER BY key`;
  for await (const [column = []] of duckdb.chunks(keys)) {
    await writeInTurns(store, column, addKey);
  }
  return learned;
}
