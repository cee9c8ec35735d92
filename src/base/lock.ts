import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Clock, toIso } from "./clock.ts";
import { ServiceError } from "./errors.ts";
import { lockDatabase } from "./sqlite.ts";

/** Who holds a lock, for people; the lock alone decides. */
export interface Holder {
  readonly host: string;
  readonly processId: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** What it does, such as `import orders.csv`. */
  readonly work: string;
  /** Where it serves, once it does. */
  readonly address?: string;
}

export interface Lock {
  /** Tells people more of the holder. */
  tell(more: { readonly address: string }): void;
  release(): void;
}

/** What is asked of a lock. */
export interface LockRequest {
  readonly work: string;
  readonly clock: Clock;
  /** What is said where another one holds it; undefined where nobody knows who. */
  readonly refusal: (holder: Holder | undefined) => string;
}

/** The folder of a store's lock files. No code may read it by `fs`, except for the `*.json` files. */
export const LOCKS_FOLDER = "locks";

/** The folder of lock files of the store in `storeFolder`, made if absent. */
export function locksFolder(storeFolder: string): string {
  const folder = join(storeFolder, LOCKS_FOLDER);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Takes a store's lock of this name, without waiting. It holds against every process on this machine, in whatever
 * container, and against others in this process; it ends with its holder. Throws `conflict` while another one holds it.
 */
export function acquireLock(
  storeFolder: string,
  name: "writer" | "server",
  { work, clock, refusal }: LockRequest,
): Lock {
  const folder = locksFolder(storeFolder);
  const note = join(folder, `${name}.json`);
  const lock = lockDatabase(join(folder, `${name}.sqlite`));
  if (lock === undefined) {
    throw new ServiceError("conflict", refusal(readHolder(note)));
  }
  const holder = {
    host: hostname(),
    processId: process.pid,
    startedAt: toIso(clock.now()),
    work,
  };
  writeHolder(note, holder);
  return {
    tell: (more) => {
      writeHolder(note, { ...holder, ...more });
    },
    release: () => {
      if (lock.open) {
        rmSync(note, { force: true });
        lock.close();
      }
    },
  };
}

/** The holder's note is a help: where it can't be written, the lock holds all the same. */
function writeHolder(note: string, holder: Holder): void {
  try {
    writeFileSync(`${note}.partial`, `${JSON.stringify(holder, null, 1)}\n`);
    renameSync(`${note}.partial`, note);
  } catch {
    rmSync(note, { force: true });
  }
}

function readHolder(note: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(note, "utf8")) as Partial<Holder> | null;
    const { host, processId, startedAt, work, address } = holder ?? {};
    if (
      typeof host !== "string" ||
      typeof processId !== "number" ||
      typeof startedAt !== "string" ||
      typeof work !== "string"
    ) {
      return undefined;
    }
    const known = { host, processId, startedAt, work };
    return typeof address === "string" ? { ...known, address } : known;
  } catch {
    return undefined;
  }
}
