import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type DuckDb, openDuckDb } from "./duckdb.ts";
import { openLogFlush } from "./log-flush.ts";
import { migrate, refuseNewer } from "./migrate.ts";
import { beginOpening, sessionsOf } from "./opening.ts";
import { closeFolder, createPrivately } from "./private-files.ts";
import { openSqlite, type Sqlite } from "./sqlite.ts";
import {
  DATABASE,
  giveIdentity,
  nameNewStore,
  refuseForeignDatabase,
  refuseMissingDatabase,
} from "./store-identity.ts";

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
      | "quarantine"
      | "temporary",
  ): string;
  /**
   * A name for what is written until it is whole and takes its final name; no other writer has the same. What a process
   * that was killed left under such a name goes when the store is opened next, wherever it is.
   */
  partial(target: string): string;
  /** A DuckDB session over the store's files. */
  openDuckDb(options?: {
    readonly memoryLimitMiB?: number;
    readonly threads?: number;
  }): Promise<DuckDb>;
  /** Resolves once everything that was committed before the call would survive a power cut. */
  flush(): Promise<void>;
  close(): void;
}

/** How a store is opened. */
export interface OpenOptions {
  /** The database's name in the folder; another one than its own while it is being made from the history. */
  readonly database?: string;
}

/**
 * Opens (and where needed creates and migrates) the store in a folder; its files are for its user alone. Throws `conflict`
 * where its database is missing, of another store, or older than the history next to it; then nothing was written.
 */
export async function openStore(
  folder: string,
  { database = DATABASE }: OpenOptions = {},
): Promise<Store> {
  createPrivately();
  mkdirSync(folder, { recursive: true });
  closeFolder(folder);
  const file = join(folder, database);
  const isOwn = database === DATABASE;
  if (isOwn) {
    refuseMissingDatabase(folder);
  }
  const sqlite = openSqlite(file, refuseNewer);
  try {
    if (isOwn) {
      refuseForeignDatabase(sqlite, folder);
    }
    await migrate(sqlite);
    giveIdentity(sqlite);
    if (isOwn) {
      nameNewStore(sqlite, folder);
    }
  } catch (error) {
    sqlite.close();
    throw error;
  }
  const log = openLogFlush(file);
  const opening = beginOpening(folder);
  const path: Store["path"] = (name) => {
    const inside = name === "temporary" ? opening.temporaryFolder : join(folder, name);
    mkdirSync(inside, { recursive: true });
    return inside;
  };
  return {
    folder,
    sqlite,
    path,
    partial: (target) => opening.partial(target),
    openDuckDb: (options = {}) => openDuckDb({ temporaryFolder: path("temporary"), ...options }),
    flush: () => log.flush(),
    close: () => {
      log.close();
      sqlite.close();
      opening.close();
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

/**
 * The DuckDB sessions over this store that are open now, in any running process; each has a name of
 * its own, for all time. A session may still read any file that was visible while it was open.
 */
export function openSessions(store: Store): string[] {
  return sessionsOf(store.folder);
}

/** Removes files of a folder that no one refers to, such as those of an interrupted write. */
export function removeStrays(folder: string, isKept: (name: string) => boolean): void {
  for (const name of readdirSync(folder)) {
    if (!isKept(name)) {
      rmSync(join(folder, name), { recursive: true });
    }
  }
}
