import { close, closeSync, fdatasync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** Brings the log of a database in WAL mode to disk, while the event loop goes on. */
export interface LogFlush {
  /** Resolves once everything that was committed before the call would survive a power cut. Rejects where the disk fails. */
  flush(): Promise<void>;
  close(): void;
}

const synchronise = promisify(fdatasync);

/**
 * The flushing of a database file's log. Calls during a flush share the next. A commit's frames lie in the log
 * in their order, each with a checksum over all before it, and a checkpoint synchronises the log before it
 * copies from it (sqlite.org/wal.html), so a synchronised log has all that was committed till then.
 */
export function openLogFlush(databaseFile: string): LogFlush {
  let log: number | undefined;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const open = (): number => {
    const file = openSync(`${databaseFile}-wal`, "r+");
    // The log may have been made just now: its name has to survive, too.
    const folder = openSync(dirname(databaseFile), "r");
    fsyncSync(folder);
    closeSync(folder);
    return file;
  };
  const run = async (): Promise<void> => {
    log ??= open();
    await synchronise(log);
  };
  const start = (): Promise<void> => {
    running = run().finally(() => {
      running = undefined;
    });
    return running;
  };
  const after = async (before: Promise<void>): Promise<void> => {
    await before.catch(() => undefined);
    next = undefined;
    await start();
  };
  return {
    flush: () => {
      if (running === undefined) {
        return start();
      }
      next ??= after(running);
      return next;
    },
    close: () => {
      if (log !== undefined) {
        close(log);
        log = undefined;
      }
    },
  };
}
