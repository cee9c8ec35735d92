import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type Clock, type DuckDb, ServiceError, type Step, type Store } from "../base/index.ts";
import { checksumOf } from "./checksum.ts";
import { formatOf } from "./find-files.ts";
import { writeHistory } from "./history-file-store.ts";
import { type ImportRun, importRuns, updateSource } from "./history-store.ts";
import { type ImportCount, recordCountedImport } from "./import-count-store.ts";
import { type Mapping, partsOf } from "./mapping.ts";
import { collectRejects, writeRejects } from "./reject-store.ts";
import type { FileFormat } from "./row-sql.ts";
import {
  countKinds,
  countStaged,
  droppedIdentifiers,
  emptyColumns,
  type StagedCounts,
} from "./staging-count-store.ts";
import { type Staged, stage } from "./staging-store.ts";
import { isStatePart } from "./state-row.ts";

export interface ImportRequest {
  readonly file: string;
  readonly mapping: Mapping;
  /** Guessed from the ending unless given. */
  readonly format?: FileFormat;
  /** Tells what would happen and changes nothing. */
  readonly dryRun?: boolean;
}

/** As a file's metadata tell it, which travel with the file. */
function withoutFolder(run: ImportRun): ImportRun {
  return { ...run, rejectsFile: run.rejectsFile === null ? null : basename(run.rejectsFile) };
}

type Counts = Readonly<Record<string, number>>;

/** What came of an import. `alreadyImported` is true where these bytes were brought in before. */
export interface ImportReport extends StagedCounts {
  readonly source: string;
  readonly file: string;
  readonly dryRun: boolean;
  readonly alreadyImported: boolean;
  readonly rejectsFile: string | null;
  /** New lines per event name; rows that only say who somebody is under `identify`. */
  readonly events: Counts;
  /** Those of them whose name has no meaning here. */
  readonly unknownEvents: Counts;
  /** New lines per channel, `(none)` where it is not known. */
  readonly channels: Counts;
  /** New lines that name somebody by a type of identifier. */
  readonly identifiers: Counts;
  /** Identifiers that were left out since they can't be one, with the first rows (from 1). */
  readonly identifiersDropped: Counts;
  readonly identifiersDroppedRows: Readonly<Record<string, readonly number[]>>;
  /** New lines per event name that name nobody. */
  readonly missingIdentifiers: Counts;
  /** New lines by how long after they happened they were known. */
  readonly lateness: Counts;
  readonly rejectReasons: Counts;
  /** Mapped columns in which no row has anything, such as a mistyped path: `field: "column"`. */
  readonly emptyColumns: readonly string[];
}

/** The parts of an import, as its progress counts them. */
const STEPS = 8;

/**
 * Brings a CSV, JSON lines or Parquet file into the history by its mapping. Rows that can't be read
 * go to a rejects file with their number (from 1, the header not counted), field and reason; rows
 * the history already holds, by (source, messageId), are counted and left out. The new history file
 * becomes visible in one transaction at the end, so that an interrupted import leaves nothing.
 * Throws a ServiceError for a missing file, an unreadable format or a column that isn't there.
 */
export async function importFile(
  store: Store,
  clock: Clock,
  request: ImportRequest,
  step?: Step,
): Promise<ImportReport> {
  const file = existingFile(request.file);
  const format = request.format ?? formatOf(file);
  if (statSync(file).size === 0 && format !== "jsonl") {
    throw new ServiceError("invalid-input", `file: ${basename(file)} is empty`, { field: "file" });
  }
  const mappingJson = JSON.stringify(request.mapping);
  const { source } = request.mapping;
  const { sha256: checksum } = await checksumOf(file);
  const dryRun = request.dryRun ?? false;
  const { id, earlier } = identify(store, request.mapping, `${checksum}\n${mappingJson}`);
  if (earlier !== undefined) {
    if (!dryRun) {
      updateSource(store.sqlite, source, mappingJson, clock.now());
    }
    return repeated(earlier, dryRun);
  }
  step?.update(1, STEPS);
  const duckdb = await store.openDuckDb({ memoryLimitMiB: MEMORY_MIB });
  try {
    const staged = await stage(duckdb, store, clock.now(), { ...request, file, format }, step);
    await collectRejects(duckdb, staged);
    const outcome = await countStaged(duckdb, staged);
    const counts = await countKinds(duckdb, staged);
    const rejectsFile =
      outcome.rowsRejected > 0 && !dryRun ? join(store.path("rejects"), `${id}.csv`) : null;
    if (!dryRun) {
      await writeRejects(duckdb, rejectsFile);
      const run: ImportRun = {
        id,
        source,
        file: basename(file),
        checksum,
        knownAtRule: JSON.stringify(request.mapping.knownAt),
        rowsRead: outcome.rowsRead,
        rowsAccepted: outcome.rowsAccepted,
        rowsDuplicate: outcome.rowsDuplicate,
        rowsRejected: outcome.rowsRejected,
        rejectsFile,
        finishedAt: clock.now(),
      };
      const written = await writeHistory(duckdb, store, {
        ...{ name: `${source}-${id}.parquet`, source, importRunId: id },
        imports: [withoutFolder(run)],
        mappings: { [source]: mappingJson },
      });
      step?.update(7, STEPS);
      recordCountedImport(store, { source, json: mappingJson }, run, written, counts);
    }
    return {
      ...EMPTY,
      ...byKind(counts),
      ...outcome,
      source,
      file: request.file,
      dryRun,
      alreadyImported: false,
      rejectsFile,
      ...(await details(duckdb, staged)),
    };
  } finally {
    duckdb.close();
  }
}

/**
 * The id of an import by what it brings in, and the same one if it came before. Rows that say how somebody
 * is say it again where something else of the source came in between.
 */
function identify(
  store: Store,
  mapping: Mapping,
  content: string,
): { readonly id: string; readonly earlier: ImportRun | undefined } {
  const idOf = (text: string): string =>
    createHash("sha256").update(text).digest("hex").slice(0, 16);
  const id = idOf(content);
  const runs = importRuns(store).filter(({ source }) => source === mapping.source);
  const place = runs.findIndex((run) => run.id === id);
  return place > 0 && partsOf(mapping).some(isStatePart)
    ? { id: idOf(`${content}\n${runs.length}`), earlier: undefined }
    : { id, earlier: runs[place] };
}

/** Of DuckDB; the rest spills to disk. */
const MEMORY_MIB = 800;

const EMPTY = {
  events: {},
  unknownEvents: {},
  channels: {},
  identifiers: {},
  identifiersDropped: {},
  identifiersDroppedRows: {},
  missingIdentifiers: {},
  lateness: {},
  rejectReasons: {},
  emptyColumns: [],
} as const;

const REPORTED = {
  event: "events",
  unknown_event: "unknownEvents",
  channel: "channels",
  identifier: "identifiers",
  identifier_dropped: "identifiersDropped",
  missing_identifier: "missingIdentifiers",
  late: "lateness",
  reject: "rejectReasons",
} as const;

function byKind(counts: readonly ImportCount[]): Partial<Record<keyof typeof EMPTY, Counts>> {
  return Object.fromEntries(
    Object.entries(REPORTED).map(([kind, name]) => [
      name,
      Object.fromEntries(
        counts.filter((count) => count.kind === kind).map(({ name: of, count }) => [of, count]),
      ),
    ]),
  );
}

async function details(
  duckdb: DuckDb,
  staged: Staged,
): Promise<Pick<ImportReport, "emptyColumns" | "identifiersDroppedRows">> {
  const types = [...new Set(staged.slots.map(({ type }) => type))];
  const dropped = types.length === 0 ? [] : await droppedIdentifiers(duckdb, types, staged.slots);
  return {
    emptyColumns: await emptyColumns(duckdb, staged),
    identifiersDroppedRows: Object.fromEntries(dropped.map(({ name, rows }) => [name, rows])),
  };
}

function repeated(run: ImportRun, dryRun: boolean): ImportReport {
  return {
    ...EMPTY,
    source: run.source,
    file: run.file,
    dryRun,
    alreadyImported: true,
    rowsRead: run.rowsRead,
    rowsAccepted: 0,
    rowsDuplicate: run.rowsRead - run.rowsRejected,
    rowsRejected: run.rowsRejected,
    rowsSkipped: 0,
    rowsChanged: 0,
    rejectsFile: run.rejectsFile,
  };
}

function existingFile(name: string): string {
  const file = resolve(name);
  if (!existsSync(file) || !statSync(file).isFile()) {
    const what = existsSync(file) ? "expected a file, got a folder:" : "there is no file";
    throw new ServiceError("invalid-input", `file: ${what} ${name}`, { field: "file" });
  }
  return file;
}
