import { randomUUID } from "node:crypto";
import {
  raiseGeneration,
  readIdentity,
  readStoreFile,
  type Store,
  type StoreIdentity,
  writeStoreFile,
  writeTransaction,
} from "../base/index.ts";
import {
  addImportRun,
  type HistoryFile,
  type ImportRun,
  type ManifestEntry,
  manifest,
  updateSource,
} from "./history-store.ts";
import { retireFile } from "./retired-store.ts";

/**
 * Changes which files the history has: the work and a new generation in one transaction, then the list in the store's
 * folder, by which a database that is behind is known. Call it as the only writer.
 */
export function changeManifest(store: Store, work: () => void): void {
  writeTransaction(store.sqlite, () => {
    work();
    raiseGeneration(store.sqlite);
  });
  listInFolder(store);
}

/** Writes which store this is and which files its history has into the store's folder. */
export function listInFolder(store: Store): void {
  writeStoreFile(store.folder, {
    ...identityOf(store),
    history: manifest(store).map(({ name, rows, bytes, sha256 }) => ({
      name,
      rows,
      bytes,
      sha256,
    })),
  });
}

/** The identity of an open store. */
export function identityOf(store: Store): StoreIdentity {
  const identity = readIdentity(store.sqlite);
  if (identity === undefined) {
    throw new Error("an open store has an identity");
  }
  return identity;
}

/** A null position is the next one. */
const INSERT = `INSERT INTO history_file (rowid, name, source, import_run_id, row_count, first_occurred_at,
    last_occurred_at, last_known_at, is_resolved, byte_count, sha256)
  VALUES (@position, @name, @source, @importRunId, @rows, @firstOccurredAt,
    @lastOccurredAt, @lastKnownAt, @isResolved, @bytes, @sha256)`;

/** Makes a file visible; call inside \`changeManifest\`. \`isResolved\` where customers know its lines already. */
export function addHistoryFile(store: Store, file: HistoryFile, isResolved = false): void {
  store.sqlite.prepare(INSERT).run({ ...file, position: null, isResolved: isResolved ? 1 : 0 });
}

/** Makes an import known: its source, its run and (where it brought rows) its file. Call inside `changeManifest`. */
export function recordImport(
  store: Store,
  mapping: { readonly source: string; readonly json: string },
  run: ImportRun,
  file: HistoryFile | null,
): void {
  updateSource(store.sqlite, mapping.source, mapping.json, run.finishedAt);
  addImportRun(store, run);
  if (file !== null) {
    addHistoryFile(store, file);
  }
}

/** Visible files, and the one that takes their place, or none. */
export interface Replacement {
  readonly old: readonly { readonly name: string }[];
  readonly by: ManifestEntry | null;
}

/**
 * Replaces visible files in one transaction. The old ones are retired: where they may be read on they
 * are kept until nobody can be reading them.
 */
export function replaceHistoryFiles(
  store: Store,
  replacements: readonly Replacement[],
  { mayBeRead }: { readonly mayBeRead: boolean },
): void {
  const insert = store.sqlite.prepare(INSERT);
  changeManifest(store, () => {
    for (const { old, by } of replacements) {
      for (const { name } of old) {
        retireFile(store, name, mayBeRead);
      }
      if (by !== null) {
        insert.run({ ...by, isResolved: by.isResolved ? 1 : 0 });
      }
    }
  });
}

/** Goes on after the generation that the folder tells of, as the same store: for a database that was made from the history. */
export function continueGeneration(store: Store): void {
  const said = readStoreFile(store.folder);
  const { storeId, generation } =
    said === undefined || said === "unreadable" ? identityOf(store) : said;
  store.sqlite
    .prepare("UPDATE store_identity SET store_id = ?, generation = ?")
    .run(storeId, generation + 1);
}

/** Makes a copy of a store one of its own, so that the database of the one is refused in the folder of the other. */
export function becomeNewStore(store: Store): void {
  store.sqlite.prepare("UPDATE store_identity SET store_id = ?").run(randomUUID());
  listInFolder(store);
}
