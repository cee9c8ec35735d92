import { ServiceError } from "./errors.ts";
import { isRunning } from "./running.ts";
import { writeTransaction } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** Stores that this process writes to: a lock under its id that is not here was left by a namesake. */
const held = new Set<string>();

/**
 * Makes this process the store's only writer of history; the returned function gives it back. A lock
 * whose process is gone (or had this process's number before a restart) is taken over. Throws
 * `conflict` while another process holds it.
 */
export function acquireWriterLock(store: Store): () => void {
  writeTransaction(store.sqlite, () => {
    const holder = store.sqlite
      .prepare<[], number>("SELECT process_id FROM writer_lock")
      .pluck()
      .get();
    const isOurs = holder === process.pid;
    if (holder !== undefined && (isOurs ? held.has(store.folder) : isRunning(holder))) {
      throw new ServiceError(
        "conflict",
        `process ${holder} is writing to this store; wait for it or stop it`,
      );
    }
    store.sqlite.prepare("INSERT OR REPLACE INTO writer_lock VALUES (1, ?)").run(process.pid);
  });
  held.add(store.folder);
  return () => {
    held.delete(store.folder);
    store.sqlite.prepare("DELETE FROM writer_lock WHERE process_id = ?").run(process.pid);
  };
}
