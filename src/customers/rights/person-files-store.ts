import { closeSync, fsyncSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import {
  type DuckDb,
  literal,
  quoted,
  removeStrays,
  type SqlRow,
  type Store,
} from "../../base/index.ts";
import { IDENTIFIER_TYPES } from "../../collection/index.ts";
import { createMatcher, isNameField, type PersonMatcher } from "./person-matcher.ts";
import type { Person } from "./person-store.ts";

/** Folders with files for people, whose rows may be a person's. */
const FOLDERS = ["rejects", "audiences", "backtests", "features"] as const;

/** Folders of `features` with everybody's event lines as features read them: made again from the history. */
const FACTS = "facts-";

/** A file with rows of the person, and which they are (from 1, the header not counted). */
export interface PersonFile {
  readonly folder: (typeof FOLDERS)[number];
  readonly file: string;
  readonly rows: readonly SqlRow[];
  readonly positions: readonly number[];
}

/** The files of a store, besides history and snapshots, that have rows of the person. */
export async function findInFiles(store: Store, person: Person): Promise<PersonFile[]> {
  const duckdb = await store.openDuckDb();
  try {
    const matcher = createMatcher(person.identifiers);
    const found: PersonFile[] = [];
    for (const [folder, file] of filesOf(store)) {
      const one = await findInFile(duckdb, store, folder, file, person, matcher);
      if (one.positions.length > 0) {
        found.push(one);
      }
    }
    return found;
  } finally {
    duckdb.close();
  }
}

/**
 * Writes the files that have rows of the person anew without them, each whole or not at all, and removes
 * what features keep of everybody's events. Call it when the history no longer has the person.
 */
export async function eraseFromFiles(
  store: Store,
  person: Person,
): Promise<
  readonly { readonly folder: string; readonly files: number; readonly removed: number }[]
> {
  removePartial(store);
  removeStrays(store.path("features"), (name) => !name.startsWith(FACTS));
  const found = await findInFiles(store, person);
  const duckdb = await store.openDuckDb();
  try {
    for (const one of found) {
      await writeWithout(duckdb, store, one);
    }
  } finally {
    duckdb.close();
  }
  return FOLDERS.map((folder) => {
    const files = found.filter((one) => one.folder === folder);
    const removed = files.reduce((sum, { positions }) => sum + positions.length, 0);
    return { folder, files: files.length, removed };
  }).filter(({ files }) => files > 0);
}

/** Files that were not finished; whoever still writes one fails, and can be repeated. */
function removePartial(store: Store): void {
  for (const folder of FOLDERS) {
    removeStrays(store.path(folder), (name) => !name.endsWith(".partial"));
  }
}

function filesOf(store: Store): (readonly [(typeof FOLDERS)[number], string])[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(store.path(folder), { recursive: true })
      .map(String)
      .filter(
        (name) =>
          /\.(csv|parquet)$/.test(name) && !(folder === "features" && name.startsWith(FACTS)),
      )
      .sort()
      .map((name) => [folder, name] as const),
  );
}

async function findInFile(
  duckdb: DuckDb,
  store: Store,
  folder: PersonFile["folder"],
  file: string,
  person: Person,
  matcher: PersonMatcher,
): Promise<PersonFile> {
  const isOwn = folder === "rejects" ? isOwnReject(matcher) : isOwnRow(person, matcher);
  const rows: SqlRow[] = [];
  const positions: number[] = [];
  let position = 0;
  for await (const chunk of duckdb.rowChunks(`SELECT * FROM ${readSql(store, folder, file)}`)) {
    for (const row of chunk) {
      position++;
      if (isOwn(row)) {
        rows.push(row);
        positions.push(position);
      }
    }
  }
  return { folder, file, rows, positions };
}

type IsOwn = (row: SqlRow) => boolean;

function isOwnReject(matcher: PersonMatcher): IsOwn {
  return (row) =>
    [row["content"], row["reason"]].some((cell) => typeof cell === "string" && matcher.isIn(cell));
}

/** Columns that name people: `customer` in our own files, and types of identifiers. */
const PEOPLE: readonly string[] = ["customer", ...IDENTIFIER_TYPES];

function isOwnRow(person: Person, matcher: PersonMatcher): IsOwn {
  const numbers = new Set(person.customerIds.map(String));
  return (row) =>
    Object.entries(row).some(([name, cell]) => {
      // What spreadsheets would take for a formula is written behind an apostrophe.
      const text = cell === null ? "" : String(cell).replace(/^'(?=[=+\-@\t\r])/, "");
      return (
        (name === "customer_id" && numbers.has(text)) ||
        (PEOPLE.includes(name) && matcher.isName(text, true)) ||
        (isNameField(name) && matcher.isName(text, false))
      );
    });
}

function readSql(store: Store, folder: PersonFile["folder"], file: string): string {
  const path = literal(join(store.path(folder), file));
  return file.endsWith(".csv")
    ? `read_csv(${path}, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', nullstr = '', sample_size = -1, parallel = false)`
    : `read_parquet(${path})`;
}

async function writeWithout(
  duckdb: DuckDb,
  store: Store,
  { folder, file, positions }: PersonFile,
): Promise<void> {
  const target = join(store.path(folder), file);
  await duckdb.run("CREATE OR REPLACE TEMP TABLE gone (position DOUBLE)");
  await duckdb.append(
    "gone",
    positions.map((position) => [position]),
  );
  const position = quoted("#position");
  await duckdb.run(
    `COPY (SELECT * EXCLUDE (${position}) FROM (SELECT *, row_number() OVER () AS ${position} FROM ${readSql(store, folder, file)})
           WHERE ${position} NOT IN (SELECT position FROM gone) ORDER BY ${position})
     TO ${literal(`${target}.partial`)} (FORMAT ${file.endsWith(".csv") ? "csv, HEADER" : "parquet, COMPRESSION zstd"})`,
  );
  const handle = openSync(`${target}.partial`, "r");
  fsyncSync(handle);
  closeSync(handle);
  renameSync(`${target}.partial`, target);
}
