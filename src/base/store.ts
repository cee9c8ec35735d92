import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type DuckDb, openDuckDb, SPILL } from "./duckdb.ts";
import { openLogFlush } from "./log-flush.ts";
import { migrate, refuseNewer } from "./migrate.ts";
import { isRunning } from "./running.ts";
import { openSqlite, type Sqlite } from "./sqlite.ts";

/** Where one shop's state lives: the operational database and the folders beside it. */
export interface Store {
  readonly folder: string;
  readonly sqlite: Sqlite;
  /** The folder of that name inside the store, made if absent. */
  path(
    name:
      | "history"
      | "customers"
      | "rejects"
      | "backtests"
      | "audiences"
      | "features"
      | "temporary",
  ): string;
  /** A DuckDB session over the store's files. */
  openDuckDb(options?: {
    readonly memoryLimitMiB?: number;
    readonly threads?: number;
  }): Promise<DuckDb>;
  /** Resolves once everything that was committed before the call would survive a power cut. */
  flush(): Promise<void>;
  close(): void;
}

/** Opens (and where needed creates and migrates) the store in a folder. */
export async function openStore(folder: string): Promise<Store> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "herkoop.sqlite");
  const sqlite = openSqlite(file, refuseNewer);
  const log = openLogFlush(file);
  await migrate(sqlite);
  const own = openTemporary(join(folder, "temporary"));
  const path: Store["path"] = (name) => {
    const inside = name === "temporary" ? own : join(folder, name);
    mkdirSync(inside, { recursive: true });
    return inside;
  };
  return {
    folder,
    sqlite,
    path,
    openDuckDb: (options = {}) => openDuckDb({ temporaryFolder: path("temporary"), ...options }),
    flush: () => log.flush(),
    close: () => {
      log.close();
      sqlite.close();
      rmSync(own, { recursive: true, force: true });
    },
  };
}

/** The same store, whose DuckDB sessions leave a core to the event loop: for what is done beside serving. */
export function beside(store: Store): Store {
  const spare = Math.max(1, cpus().length - 1);
  return {
    ...store,
    openDuckDb: (options = {}) =>
      store.openDuckDb({ ...options, threads: Math.min(options.threads ?? spare, spare) }),
  };
}

let opened = 0;

/** A folder for this opening of the store alone, made on first use; those of processes that are gone go. */
function openTemporary(folder: string): string {
  const own = `${process.pid}-${++opened}`;
  mkdirSync(folder, { recursive: true });
  removeStrays(folder, (name) => {
    const owner = Number.parseInt(name, 10);
    return name !== own && (owner === process.pid ? opened > 1 : isRunning(owner));
  });
  return join(folder, own);
}

/**
 * The DuckDB sessions over this store that are open now, in any running process; each has a name of
 * its own, for all time. A session may still read any file that was visible while it was open.
 */
export function openSessions(store: Store): string[] {
  const folder = join(store.folder, "temporary");
  return readdirSync(folder)
    .filter((opening) => isRunning(Number.parseInt(opening, 10)))
    .flatMap((opening) =>
      sessionsIn(join(folder, opening)).map((session) => `${opening}/${session}`),
    );
}

function sessionsIn(folder: string): string[] {
  // The process may have closed its store meanwhile.
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(SPILL)) : [];
}

/** Removes files of a folder that no one refers to, such as those of an interrupted write. */
export function removeStrays(folder: string, isKept: (name: string) => boolean): void {
  for (const name of readdirSync(folder)) {
    if (!isKept(name)) {
      rmSync(join(folder, name), { recursive: true });
    }
  }
}
