import { type DuckDb, type Store, writeTransaction } from "../../base/index.ts";
import { historySql } from "../history-store.ts";

const KEYS_PER_TURN = 2_000;

/** Makes the messages in history files known, so that one that is sent again is a duplicate. Returns how many there were. */
export async function learnMessages(
  duckdb: DuckDb,
  store: Store,
  files: readonly string[],
): Promise<number> {
  const add = store.sqlite.prepare("INSERT INTO message VALUES (?) ON CONFLICT DO NOTHING");
  let learned = 0;
  const keys = `SELECT DISTINCT substr(sha256(source || chr(10) || message_id), 1, 32) AS key
    FROM ${historySql(store, files)} WHERE line = 0 ORDER BY key`;
  let waiting: string[] = [];
  const write = (): void => {
    const lot = waiting;
    waiting = [];
    writeTransaction(store.sqlite, () => {
      for (const key of lot) {
        learned += add.run(Buffer.from(key, "hex")).changes;
      }
    });
  };
  for await (const [column = []] of duckdb.chunks(keys)) {
    waiting.push(...column.map(String));
    if (waiting.length >= KEYS_PER_TURN) {
      write();
    }
  }
  write();
  return learned;
}
