import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "./errors.ts";
import type { Sqlite } from "./sqlite.ts";
import { readStoreFile, STORE_FILE, writeStoreFile } from "./store-file.ts";

/** The name of a store's database in its folder. */
export const DATABASE = "herkoop.sqlite";

const RECOVERY =
  "Nothing was changed. Put the right database back, restore a backup into a new folder (herkoop restore), or make a new database from the history (herkoop rebuild)";

/**
 * Refuses to make a new database next to an existing history: everything there would be unknown to it. Throws `conflict`
 * that says what there is and how to recover.
 */
export function refuseMissingDatabase(folder: string): void {
  const file = join(folder, DATABASE);
  if (hasContent(file) || hasContent(`${file}-wal`)) {
    return;
  }
  const files = historyNames(folder).length;
  const isStore = existsSync(join(folder, STORE_FILE));
  if (files > 0 || isStore) {
    const what = existsSync(file) ? "is empty" : "is missing";
    throw new ServiceError(
      "conflict",
      `store: ${DATABASE} ${what}, but the store has ${files} history files. ${RECOVERY}`,
      { field: "store" },
    );
  }
}

/**
 * Refuses a database that belongs to another store, or that is older than the history next to it. Call it before anything
 * is written. Throws `conflict`.
 */
export function refuseForeignDatabase(sqlite: Sqlite, folder: string): void {
  const said = readStoreFile(folder);
  if (said === undefined || said === "unreadable") {
    return;
  }
  const known = readIdentity(sqlite);
  if (known !== undefined && known.storeId !== said.storeId) {
    throw new ServiceError(
      "conflict",
      `store: ${DATABASE} belongs to another store (${known.storeId}; the folder is of ${said.storeId}). ${RECOVERY}`,
      { field: "store" },
    );
  }
  if ((known?.generation ?? -1) < said.generation) {
    throw new ServiceError(
      "conflict",
      `store: ${DATABASE} is older than the history: it knows ${known?.generation ?? 0} changes, the folder has had ${said.generation}. ${RECOVERY}`,
      { field: "store" },
    );
  }
}

/** Which store a database is of, and how many changes of the history it knows. */
export interface StoreIdentity {
  readonly storeId: string;
  readonly generation: number;
}

/** The identity that a database holds; undefined where it has none yet. */
export function readIdentity(sqlite: Sqlite): StoreIdentity | undefined {
  const hasTable = sqlite
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'store_identity'")
    .get();
  return hasTable === undefined
    ? undefined
    : sqlite
        .prepare<[], StoreIdentity>("SELECT store_id AS storeId, generation FROM store_identity")
        .get();
}

/** Gives a database an identity, unless it has one. */
export function giveIdentity(sqlite: Sqlite, storeId: string = randomUUID()): void {
  sqlite
    .prepare("INSERT INTO store_identity VALUES (1, ?, 0) ON CONFLICT (only_row) DO NOTHING")
    .run(storeId);
}

/** Lets the folder of a new store say which it is from the start. One that has a history says so at its next change. */
export function nameNewStore(sqlite: Sqlite, folder: string): void {
  const identity = readIdentity(sqlite);
  if (
    identity !== undefined &&
    historyNames(folder).length === 0 &&
    !existsSync(join(folder, STORE_FILE))
  ) {
    writeStoreFile(folder, { ...identity, history: [] });
  }
}

/** Counts a change of the history; call it inside the transaction that makes the change visible. */
export function raiseGeneration(sqlite: Sqlite): void {
  sqlite.prepare("UPDATE store_identity SET generation = generation + 1").run();
}

/** The Parquet files in a store's history folder, by name. */
export function historyNames(folder: string): string[] {
  const history = join(folder, "history");
  return existsSync(history)
    ? readdirSync(history)
        .filter((name) => name.endsWith(".parquet"))
        .sort()
    : [];
}

function hasContent(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
