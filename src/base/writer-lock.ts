import type { Clock } from "./clock.ts";
import { acquireLock, type Holder } from "./lock.ts";
import type { Store } from "./store.ts";

/**
 * Makes the caller the store's only writer of history, for the work it names (without personal data, such as
 * `import orders.csv`); the returned function gives the lock back. Throws `conflict` while another one holds it, in this
 * process or any other; the message says who it is and what it does.
 */
export function acquireWriterLock(
  store: Pick<Store, "folder">,
  work: string,
  clock: Clock,
): () => void {
  const lock = acquireLock(store.folder, "writer", { work, clock, refusal });
  return () => {
    lock.release();
  };
}

function refusal(holder: Holder | undefined): string {
  if (holder === undefined) {
    return "another process is writing to this store; wait for it or stop it";
  }
  const { host, processId, startedAt, work } = holder;
  return `"herkoop ${work}" on host ${host} (process ${processId}) has been writing to this store since ${startedAt}; wait for it or stop it`;
}
