import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type Clock, ServiceError, type Step, type Store } from "../base/index.ts";
import { writeHistory } from "./history-file-store.ts";
import { findImport, type ImportRun, recordImport, updateSource } from "./history-store.ts";
import type { Mapping } from "./mapping.ts";
import type { FileFormat } from "./stage-sql.ts";
import { countStaged, countsBy, stage, writeRejects } from "./staging-store.ts";

export interface ImportRequest {
  readonly file: string;
  readonly mapping: Mapping;
  /** Guessed from the ending unless given. */
  readonly format?: FileFormat;
  /** Tells what would happen and changes nothing. */
  readonly dryRun?: boolean;
}

/** What came of an import. `alreadyImported` is true where these bytes were brought in before. */
export interface ImportReport {
  readonly source: string;
  readonly file: string;
  readonly dryRun: boolean;
  readonly alreadyImported: boolean;
  readonly rowsRead: number;
  readonly rowsAccepted: number;
  readonly rowsDuplicate: number;
  readonly rowsRejected: number;
  readonly rejectsFile: string | null;
  /** Accepted lines per event name. */
  readonly events: Readonly<Record<string, number>>;
  readonly rejectReasons: Readonly<Record<string, number>>;
  /** Mapped columns in which no row has anything, such as a mistyped path: `field: "column"`. */
  readonly emptyColumns: readonly string[];
}

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
  const mappingJson = JSON.stringify(request.mapping);
  const checksum = await checksumOf(file);
  const id = createHash("sha256").update(`${checksum}\n${mappingJson}`).digest("hex").slice(0, 16);
  const dryRun = request.dryRun ?? false;
  const earlier = findImport(store, id);
  if (earlier !== undefined) {
    if (!dryRun) {
      updateSource(store.sqlite, request.mapping.source, mappingJson, clock.now());
    }
    return repeated(earlier, dryRun);
  }
  step?.update(1, 8);
  const duckdb = await store.openDuckDb();
  try {
    const { emptyColumns } = await stage(
      duckdb,
      store,
      clock.now(),
      { ...request, file, format },
      step,
    );
    const outcome = await countStaged(duckdb);
    const rejectsFile =
      outcome.rowsRejected > 0 && !dryRun ? join(store.path("rejects"), `${id}.csv`) : null;
    if (!dryRun) {
      await writeRejects(duckdb, rejectsFile);
      const { source } = request.mapping;
      const origin = { name: `${source}-${id}.parquet`, source, importRunId: id };
      const written = await writeHistory(duckdb, store, origin);
      step?.update(7, 8);
      const run: ImportRun = {
        id,
        source,
        file: basename(file),
        checksum,
        knownAtRule: JSON.stringify(request.mapping.knownAt),
        ...outcome,
        rejectsFile,
        finishedAt: clock.now(),
      };
      recordImport(store, { source: run.source, json: mappingJson }, run, written);
    }
    return {
      source: request.mapping.source,
      file: request.file,
      dryRun,
      alreadyImported: false,
      ...outcome,
      rejectsFile,
      events: await countsBy(
        duckdb,
        "SELECT event AS name, count(*) AS n FROM new_line GROUP BY 1 ORDER BY 2 DESC, 1",
      ),
      rejectReasons: await countsBy(
        duckdb,
        "SELECT field || ': ' || split_part(reason, ', got', 1) AS name, count(*) AS n FROM reject GROUP BY 1 ORDER BY 2 DESC, 1",
      ),
      emptyColumns,
    };
  } finally {
    duckdb.close();
  }
}

function repeated(run: ImportRun, dryRun: boolean): ImportReport {
  return {
    source: run.source,
    file: run.file,
    dryRun,
    alreadyImported: true,
    rowsRead: run.rowsRead,
    rowsAccepted: 0,
    rowsDuplicate: run.rowsRead - run.rowsRejected,
    rowsRejected: run.rowsRejected,
    rejectsFile: run.rejectsFile,
    events: {},
    rejectReasons: {},
    emptyColumns: [],
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

function formatOf(file: string): FileFormat {
  const ending = /\.(csv|jsonl|ndjson|parquet)(\.gz)?$/.exec(file.toLowerCase())?.[1];
  if (ending === undefined) {
    throw new ServiceError(
      "invalid-input",
      `format: cannot tell from the name ${basename(file)}; give --format csv, jsonl or parquet`,
      {
        field: "format",
      },
    );
  }
  return ending === "csv" ? "csv" : ending === "parquet" ? "parquet" : "jsonl";
}

async function checksumOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}
