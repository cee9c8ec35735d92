import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import type { Sqlite } from "./sqlite.ts";
import { startThread } from "./thread.ts";

/** Moves the log of a database into the database, mostly beside the event loop. */
export interface Checkpointer {
  /** Resolves after the next checkpoint, or the one that is under way; the first starts the thread. */
  run(): Promise<void>;
  /** Ends the thread, and takes checkpoints back into the connection. */
  close(): Promise<void>;
}

/** Where the thread can't keep up, the connection's own commits move the log: from 256 MiB on instead of 64. */
const LOG_PAGES_MAX = 65_536;

const THREAD = new URL("./checkpoint-thread.ts", import.meta.url);

/**
 * Checkpoints of a connection's database file. The thread moves what is in the log, again and again until little came
 * meanwhile; the connection moves that little, after which the next commit begins the log anew.
 */
export function openCheckpointer(sqlite: Sqlite, file = sqlite.name): Checkpointer {
  let thread: Worker | undefined;
  let running: Promise<void> | undefined;
  const limit = Number(sqlite.pragma("wal_autocheckpoint", { simple: true }));
  const start = (): Worker => {
    const started = startThread(THREAD, { file });
    started.unref();
    sqlite.pragma(`wal_autocheckpoint = ${LOG_PAGES_MAX}`);
    return started;
  };
  const restore = (): void => {
    thread = undefined;
    if (sqlite.open) {
      sqlite.pragma(`wal_autocheckpoint = ${limit}`);
    }
  };
  const run = async (): Promise<void> => {
    thread ??= start();
    try {
      const done = once(thread, "message");
      thread.postMessage("run");
      await done;
      if (sqlite.open) {
        sqlite.pragma("wal_checkpoint(PASSIVE)");
      }
    } catch {
      // Commits go on without the thread, and do its work.
      restore();
    }
  };
  return {
    run: () => {
      running ??= run().finally(() => {
        running = undefined;
      });
      return running;
    },
    close: async () => {
      thread?.ref();
      await running;
      if (thread !== undefined) {
        const ending = once(thread, "exit");
        thread.postMessage("close");
        await ending;
        restore();
      }
    },
  };
}
