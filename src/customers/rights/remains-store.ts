import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { KEY_FILE, LOCKS_FOLDER, quoted, type Sqlite, type Store } from "../../base/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { isDistinctive, spellingsOf } from "./person-matcher.ts";
import { tableNames } from "./person-store.ts";

/** What a search for a person's identifiers came to. Files are named from the folder searched. */
export interface Remains {
  readonly filesSearched: number;
  /** Identifiers long enough to be searched for. */
  readonly identifiersSearched: number;
  readonly files: readonly string[];
}

const CHUNK_BYTES = 4 * 2 ** 20;

/** Files of a folder (all below it) with the bytes of an identifier, as it is or escaped as in JSON. */
export function searchFiles(
  folder: string,
  identifiers: readonly Identifier[],
  isMeant: (file: string) => boolean = (file) => !file.endsWith(KEY_FILE),
): Remains {
  const searched = identifiers.filter(({ value }) => isDistinctive(value));
  const needles = searched.flatMap(({ value }) =>
    spellingsOf(value).map((spelling) => Buffer.from(spelling)),
  );
  const files = existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .map(String)
        // Closing a lock file would drop its locks; it holds nothing.
        .filter((name) => !name.startsWith(LOCKS_FOLDER + sep))
        .map((name) => join(folder, name))
        .filter((file) => isFile(file) && isMeant(file))
    : [];
  return {
    filesSearched: files.length,
    identifiersSearched: searched.length,
    files: files
      .filter((file) => isAnyIn(file, needles))
      .map((file) => relative(folder, file))
      .sort(),
  };
}

/** A file of another process may go while we look. */
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isAnyIn(file: string, needles: readonly Buffer[]): boolean {
  const overlap = needles.reduce((most, needle) => Math.max(most, needle.length), 1) - 1;
  const buffer = Buffer.alloc(CHUNK_BYTES + overlap);
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return false;
    }
    throw error;
  }
  try {
    let kept = 0;
    for (;;) {
      const read = readSync(handle, buffer, kept, CHUNK_BYTES, null);
      const filled = buffer.subarray(0, kept + read);
      if (needles.some((needle) => filled.includes(needle))) {
        return true;
      }
      if (read === 0) {
        return false;
      }
      kept = Math.min(overlap, filled.length);
      filled.copy(buffer, 0, filled.length - kept);
    }
  } finally {
    closeSync(handle);
  }
}

/** Text columns (`table.column`) in which an identifier stands in some row. */
export function searchTables(sqlite: Sqlite, identifiers: readonly Identifier[]): string[] {
  const needles = identifiers
    .filter(({ value }) => isDistinctive(value))
    .flatMap(({ value }) => spellingsOf(value));
  return textColumns(sqlite)
    .filter(([table, column]) => {
      const isIn = sqlite
        .prepare<[string], number>(
          `SELECT 1 FROM ${quoted(table)} WHERE EXISTS (SELECT 1 FROM json_each(?) n WHERE instr(${quoted(table)}.${quoted(column)}, n.value) > 0) LIMIT 1`,
        )
        .pluck();
      return isIn.get(JSON.stringify(needles)) === 1;
    })
    .map((names) => names.join("."));
}

/** Every column of text, as [table, column]. */
export function textColumns(sqlite: Sqlite): (readonly [string, string])[] {
  const columns = sqlite
    .prepare<[string], string>("SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT'")
    .pluck();
  return tableNames(sqlite).flatMap((table) =>
    columns.all(table).map((column) => [table, column] as const),
  );
}

/** Writes what lies in the write-ahead log into the database, and empties the log. */
export function emptyLog(sqlite: Sqlite): void {
  sqlite.pragma("wal_checkpoint(TRUNCATE)");
}

/**
 * Makes sure that no free space of the database holds the identifiers: deleted bytes are overwritten as
 * they go, but a page that was divided may keep a copy. Where one is found, the database is written anew.
 * Returns whether it was.
 */
export function cleanDatabase(store: Store, identifiers: readonly Identifier[]): boolean {
  emptyLog(store.sqlite);
  const isIn = (): boolean =>
    searchFiles(store.folder, identifiers, (file) => /herkoop\.sqlite(-wal)?$/.test(file)).files
      .length > 0;
  if (!isIn()) {
    return false;
  }
  store.sqlite.exec("VACUUM");
  emptyLog(store.sqlite);
  return true;
}
