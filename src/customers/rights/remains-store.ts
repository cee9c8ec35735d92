import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { KEY_FILE, LOCKS_FOLDER, quoted, type Sqlite, type Store } from "../../base/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { type ByteSearch, openByteSearch, openTextSearch, PIECE_BYTES } from "./byte-search.ts";
import { piecesByOther } from "./other-process.ts";
import { isDistinctive } from "./person-matcher.ts";
import { tableNames } from "./person-store.ts";

/** What a search for a person's identifiers came to. Files are named from the folder searched. */
export interface Remains {
  readonly filesSearched: number;
  /** Identifiers long enough to be searched for. */
  readonly identifiersSearched: number;
  readonly files: readonly string[];
}

/** Files of SQLite, which only another process may open: closing one lets go of this process's locks on it. */
const SQLITE = /\.sqlite(-wal|-shm|-journal)?$/;

/** Files of a folder (all below it) with the bytes of an identifier, in either case, as it is or encoded (spellings.ts). */
export async function searchFiles(
  folder: string,
  identifiers: readonly Identifier[],
  isMeant: (file: string) => boolean = (file) => !file.endsWith(KEY_FILE),
): Promise<Remains> {
  const searched = identifiers.filter(({ value }) => isDistinctive(value));
  const files = existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .map(String)
        // Closing a lock file would drop its locks; it holds nothing.
        .filter((name) => !name.startsWith(LOCKS_FOLDER + sep))
        .map((name) => join(folder, name))
        .filter((file) => isFile(file) && isMeant(file))
    : [];
  const found = new Set<string>();
  const open = (): ByteSearch => openByteSearch(searched.map(({ value }) => value));
  for (const file of files.filter((one) => !SQLITE.test(one))) {
    const search = open();
    for await (const piece of piecesOf(file)) {
      if (search.isIn(piece)) {
        found.add(file);
        break;
      }
    }
  }
  const searches = new Map<string, ByteSearch>();
  for await (const [file, piece] of piecesByOther(files.filter((one) => SQLITE.test(one)))) {
    const search = searches.get(file) ?? open();
    searches.set(file, search);
    if (!found.has(file) && search.isIn(piece)) {
      found.add(file);
    }
  }
  return {
    filesSearched: files.length,
    identifiersSearched: searched.length,
    files: [...found].map((file) => relative(folder, file)).sort(),
  };
}

/** A file of another process may go while we look. */
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function* piecesOf(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      throw error;
    }
  }
}

/** Text columns (`table.column`) in which an identifier stands in some row, in either case, as it is or encoded. */
export function searchTables(sqlite: Sqlite, identifiers: readonly Identifier[]): string[] {
  const values = identifiers.map(({ value }) => value).filter(isDistinctive);
  if (values.length === 0) {
    return [];
  }
  const holds = openTextSearch(values);
  const shortest = Math.min(...values.map((value) => value.length));
  sqlite.function("herkoop_holds", { deterministic: true }, (text: unknown) =>
    typeof text === "string" && holds(text) ? 1 : 0,
  );
  return textColumns(sqlite)
    .filter(([table, column]) => {
      const name = quoted(column);
      const isIn = sqlite
        .prepare<[number], number>(
          `SELECT 1 FROM ${quoted(table)} WHERE length(${name}) >= ? AND herkoop_holds(${name}) LIMIT 1`,
        )
        .pluck();
      return isIn.get(shortest) === 1;
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
export async function cleanDatabase(
  store: Store,
  identifiers: readonly Identifier[],
): Promise<boolean> {
  emptyLog(store.sqlite);
  const { files } = await searchFiles(store.folder, identifiers, (file) =>
    /herkoop\.sqlite(-wal)?$/.test(file),
  );
  if (files.length === 0) {
    return false;
  }
  store.sqlite.exec("VACUUM");
  emptyLog(store.sqlite);
  return true;
}
