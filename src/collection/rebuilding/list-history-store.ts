import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import {
  type DuckDb,
  DuckDbError,
  historyNames,
  literal,
  readStoreFile,
  ServiceError,
  type Store,
  type StoreFile,
  writeTransaction,
} from "../../base/index.ts";
import { type Checksum, checksumOf } from "../checksum.ts";
import { readFacts } from "../history-facts.ts";
import {
  addImportRun,
  addSource,
  type HistoryFile,
  historySql,
  type ImportRun,
  updateSource,
} from "../history-store.ts";
import { addHistoryFile } from "../manifest-change-store.ts";
import { segmentMapping } from "../mapping.ts";
import { learnMessages } from "../message-store.ts";
import { type ChosenFile, chooseFiles, type FoundFile } from "./choose-files.ts";

/** What a database that is made from the history got from it. */
export interface ListedHistory {
  readonly files: number;
  readonly rows: number;
  readonly imports: number;
  readonly sources: number;
  /** Live messages that are known again, so that a repeat is answered as one. */
  readonly messages: number;
  /** Files in the folder that are not of the history, or damaged and left out. */
  readonly leftOut: readonly string[];
}

/** How a damaged history is met. */
export interface ListOptions {
  readonly now: number;
  /** Leaves out files that are damaged or missing instead of refusing. */
  readonly leaveOutDamaged: boolean;
}

/**
 * Fills a new database with the manifest, sources, imports and message ids of the history files in its folder. Throws
 * `damaged` with the names of files that are damaged or missing, unless they are to be left out.
 */
export async function listHistory(store: Store, options: ListOptions): Promise<ListedHistory> {
  const said = saidBy(store);
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400 });
  try {
    const { found, unreadable } = await findFiles(duckdb, store);
    const { chosen, missing } = chooseFiles(found, said);
    const faults = [
      ...missing.map((name) => `${name} (missing)`),
      ...unreadable.map((name) => `${name} (can't be read)`),
    ];
    const files: DescribedFile[] = [];
    for (const from of chosen) {
      const file = await describe(duckdb, store, from);
      if (typeof file === "string") {
        faults.push(`${from.name} (${file})`);
      } else {
        files.push({ file, from });
      }
    }
    refuseFaults(faults, options);
    record(store, files, options.now);
    await addOtherSources(duckdb, store, options.now);
    const live = files.filter(({ file }) => file.importRunId === null);
    const messages = await learnMessages(
      duckdb,
      store,
      live.map(({ file }) => file.name),
    );
    continueInbox(store, found, live);
    const kept = new Set(files.map(({ file }) => file.name));
    return {
      files: files.length,
      rows: files.reduce((sum, { file }) => sum + file.rows, 0),
      ...counts(store),
      messages,
      leftOut: historyNames(store.folder).filter((name) => !kept.has(name)),
    };
  } finally {
    duckdb.close();
  }
}

function saidBy(store: Store): StoreFile | undefined {
  const said = readStoreFile(store.folder);
  return said === "unreadable" ? undefined : said;
}

function refuseFaults(faults: readonly string[], { leaveOutDamaged }: ListOptions): void {
  if (faults.length > 0 && !leaveOutDamaged) {
    throw new ServiceError(
      "damaged",
      `history: ${faults.join(", ")}. Put them back from a backup, or give --leave-out-damaged: their events are lost then`,
      { field: "history" },
    );
  }
}

async function findFiles(
  duckdb: DuckDb,
  store: Store,
): Promise<{ readonly found: FoundFile[]; readonly unreadable: string[] }> {
  const found: FoundFile[] = [];
  const unreadable: string[] = [];
  for (const name of historyNames(store.folder)) {
    const path = join(store.path("history"), name);
    try {
      const facts = await readFacts(duckdb, path);
      if (facts !== undefined || (await isHistory(duckdb, path))) {
        found.push({ name, facts });
      }
    } catch {
      unreadable.push(name);
    }
  }
  return { found, unreadable };
}

/** Older files, which say nothing, are known by their columns. */
async function isHistory(duckdb: DuckDb, path: string): Promise<boolean> {
  const columns = await duckdb.rows(`DESCRIBE SELECT * FROM read_parquet(${literal(path)})`);
  const names = new Set(columns.map((row) => String(row["column_name"])));
  return ["source", "message_id", "line", "type", "occurred_at_ms", "known_at_ms"].every((name) =>
    names.has(name),
  );
}

/** A file as the manifest lists it, or what is wrong with it. */
async function describe(
  duckdb: DuckDb,
  store: Store,
  from: ChosenFile,
): Promise<HistoryFile | string> {
  const path = join(store.path("history"), from.name);
  const checksum = await checksumOf(path);
  const noted = from.listed?.sha256 ?? checksum.sha256;
  if (noted !== checksum.sha256) {
    return "its bytes have changed";
  }
  const content = await contentOf(duckdb, path);
  if (content === undefined) {
    return "can't be read";
  }
  const expected = from.listed?.rows ?? from.facts?.rows ?? content.rows;
  return expected === content.rows
    ? listedAs(from, content, checksum)
    : `${content.rows} rows instead of ${expected}`;
}

interface Content {
  readonly rows: number;
  readonly span: Pick<HistoryFile, "firstOccurredAt" | "lastOccurredAt" | "lastKnownAt">;
  /** Null where there are several. */
  readonly source: string | null;
}

/** What is in a file, each of whose values is read; undefined where one can't be. */
async function contentOf(duckdb: DuckDb, path: string): Promise<Content | undefined> {
  try {
    const [row = {}] = await duckdb.rows(
      `SELECT count(*) AS n, min(occurred_at_ms) AS first, max(occurred_at_ms) AS last, max(known_at_ms) AS known,
              min(source) AS low, max(source) AS high, bit_xor(hash(f)) AS read FROM read_parquet(${literal(path)}) f`,
    );
    return {
      rows: Number(row["n"]),
      span: {
        firstOccurredAt: Number(row["first"]),
        lastOccurredAt: Number(row["last"]),
        lastKnownAt: Number(row["known"]),
      },
      source: row["low"] === row["high"] ? String(row["low"]) : null,
    };
  } catch (error) {
    if (error instanceof DuckDbError) {
      return undefined;
    }
    throw error;
  }
}

function listedAs(
  { name, facts }: ChosenFile,
  { rows, span, source }: Content,
  checksum: Checksum,
): HistoryFile {
  const origin =
    facts === undefined
      ? { source, importRunId: importIn(name) }
      : { source: facts.source, importRunId: facts.importRunId };
  return { name, rows, ...span, ...origin, ...checksum };
}

/** The import that an older file is named for: `orders-0123456789abcdef.parquet`. */
function importIn(name: string): string | null {
  return /-([0-9a-f]{16})(\.\d+)?\.parquet$/.exec(name.replace(/^merged-/, ""))?.[1] ?? null;
}

interface DescribedFile {
  readonly file: HistoryFile;
  readonly from: ChosenFile;
}

function record(store: Store, files: readonly DescribedFile[], now: number): void {
  writeTransaction(store.sqlite, () => {
    for (const { from } of files) {
      for (const [source, json] of Object.entries(from.facts?.mappings ?? {})) {
        updateSource(store.sqlite, source, json, now);
      }
    }
    for (const { file } of files) {
      if (file.source !== null) {
        addSource(store, file.source, JSON.stringify(segmentMapping(file.source)), now);
      }
    }
    for (const run of runsOf(store, files, now)) {
      addImportRun(store, run);
    }
    for (const { file } of files) {
      addHistoryFile(store, file);
    }
  });
}

/** The imports that files tell of, in their order, and one for each file that is only named for an import. */
function runsOf(store: Store, files: readonly DescribedFile[], now: number): ImportRun[] {
  const told = files.flatMap(({ from }) => from.facts?.imports ?? []);
  const runs = new Map(told.map((run) => [run.id, withRejects(store, run)]));
  for (const { file } of files) {
    if (file.importRunId !== null && !runs.has(file.importRunId)) {
      runs.set(file.importRunId, unknownRun(file.importRunId, file, now));
    }
  }
  return [...runs.values()].sort((a, b) => a.finishedAt - b.finishedAt);
}

function withRejects(store: Store, run: ImportRun): ImportRun {
  const file =
    run.rejectsFile === null ? "" : join(store.path("rejects"), basename(run.rejectsFile));
  return { ...run, rejectsFile: existsSync(file) ? file : null };
}

/** Files of several sources name none: their sources stand in the rows. */
async function addOtherSources(duckdb: DuckDb, store: Store, now: number): Promise<void> {
  for (const row of await duckdb.rows(`SELECT DISTINCT source FROM ${historySql(store)}`)) {
    const source = String(row["source"]);
    addSource(store, source, JSON.stringify(segmentMapping(source)), now);
  }
}

function unknownRun(id: string, { name, rows, source }: HistoryFile, now: number): ImportRun {
  return {
    ...{ id, source: source ?? "", file: name, checksum: "", knownAtRule: "{}" },
    ...{ rowsRead: rows, rowsAccepted: rows, rowsDuplicate: 0, rowsRejected: 0 },
    ...{ rejectsFile: null, finishedAt: now },
  };
}

/** Lines that come from here on get numbers that no sealed line had. */
function continueInbox(
  { sqlite }: Store,
  found: readonly FoundFile[],
  live: readonly { readonly file: HistoryFile }[],
): void {
  const named = found
    .flatMap(({ name, facts }) => [name, ...(facts?.replaces ?? [])])
    .map((name) => Number(/^live-\d+-(\d+)/.exec(name)?.[1] ?? 0));
  const rows = live.reduce((sum, { file }) => sum + file.rows, 0);
  const through = Math.max(rows, ...named);
  if (through > 0) {
    sqlite.prepare("DELETE FROM sqlite_sequence WHERE name = 'inbox'").run();
    sqlite.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('inbox', ?)").run(through);
    sqlite.prepare("UPDATE resolve_position SET inbox_through = ?").run(through);
  }
}

function counts({ sqlite }: Store): { readonly imports: number; readonly sources: number } {
  const count = (table: string): number =>
    sqlite.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0;
  return { imports: count("import_run"), sources: count("source") };
}
