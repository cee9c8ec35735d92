import type { Clock } from "./clock.ts";
import { acquireLock, type Holder, type Lock } from "./lock.ts";
import type { Store } from "./store.ts";

/**
 * Makes the caller the store's only server: two would split their streams of events. Throws `conflict` while another
 * one serves, in this process or any other; the message says where.
 */
export function acquireServerLock(store: Pick<Store, "folder">, clock: Clock): Lock {
  return acquireLock(store.folder, "server", { work: "serve", clock, refusal });
}

function refusal(holder: Holder | undefined): string {
  if (holder === undefined) {
    return "another server already serves this store; stop it first";
  }
  const { host, processId, startedAt, address } = holder;
  const where = address === undefined ? "" : ` at ${address}`;
  return `a server on host ${host} (process ${processId}) has been serving this store${where} since ${startedAt}; stop it first`;
}
