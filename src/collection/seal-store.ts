import {
  type DuckDb,
  literal,
  nextTurn,
  type SqlValue,
  type Store,
  whenFree,
} from "../base/index.ts";
import { writeHistory } from "./history-file-store.ts";
import { historySql, importedFiles } from "./history-store.ts";
import { resolvedThrough } from "./inbox-reader-store.ts";
import { addHistoryFile, changeManifest } from "./manifest-change-store.ts";

/** What a seal did; lines left out were in the history already, from a file. */
export interface SealReport {
  readonly lines: number;
  readonly linesLeftOut: number;
  /** The last history file written, if any. */
  readonly file: string | null;
}

const LINES_PER_FILE_MAX = 500_000;
const LINES_PER_COPY = 10;

/** The inbox's columns as they are copied; numbers come as doubles. */
const COPIED = [
  ["row_number", "sequence", "DOUBLE"],
  ["source", "source", "VARCHAR"],
  ["message_id", "message_id", "VARCHAR"],
  ["line", "line", "DOUBLE"],
  ["type", "type", "VARCHAR"],
  ["event", "event", "VARCHAR"],
  ["occurred_at_ms", "occurred_at_ms", "DOUBLE"],
  ["known_at_ms", "known_at_ms", "DOUBLE"],
  ["user_id", "user_id", "VARCHAR"],
  ["anonymous_id", "anonymous_id", "VARCHAR"],
  ["order_id", "order_id", "VARCHAR"],
  ["product_id", "product_id", "VARCHAR"],
  ["product_name", "product_name", "VARCHAR"],
  ["quantity", "quantity", "DOUBLE"],
  ["price", "price", "DOUBLE"],
  ["currency", "currency", "VARCHAR"],
  ["properties", "properties", "VARCHAR"],
  ["channel", "channel", "VARCHAR"],
  ["campaign", "campaign", "VARCHAR"],
  ["cost", "cost", "DOUBLE"],
  ["identifiers", "identifiers", "VARCHAR"],
  ["traits", "traits", "VARCHAR"],
  ["consent", "consent", "VARCHAR"],
  ["is_claim", "is_claim", "DOUBLE"],
  ["category", "category", "VARCHAR"],
  ["device", "device", "VARCHAR"],
] as const;

/**
 * Moves what the inbox holds now to the history: a file is written and flushed, then one transaction
 * makes it visible and clears the inbox, so that a crash at any instant loses nothing and doubles
 * nothing. Messages that an import brought before are left out. Lines that customers know and lines they
 * don't go to different files. Call it as the only writer; while lines are being resolved, with `through`,
 * the last line to seal, at most what is resolved.
 */
export async function sealInbox(
  store: Store,
  {
    linesPerFileMax = LINES_PER_FILE_MAX,
    through = Number.MAX_SAFE_INTEGER,
  }: { readonly linesPerFileMax?: number; readonly through?: number } = {},
): Promise<SealReport> {
  const end = store.sqlite
    .prepare<[number], number | null>("SELECT max(sequence) FROM inbox WHERE sequence <= ?")
    .pluck()
    .get(through);
  let report: SealReport = { lines: 0, linesLeftOut: 0, file: null };
  for (;;) {
    const resolved = resolvedThrough(store.sqlite);
    const range =
      nextRange(store, Math.min(end ?? 0, resolved), linesPerFileMax) ??
      nextRange(store, end ?? 0, linesPerFileMax);
    if (range === undefined) {
      return report;
    }
    const sealed = await sealRange(store, range);
    report = {
      lines: report.lines + sealed.lines,
      linesLeftOut: report.linesLeftOut + sealed.linesLeftOut,
      file: sealed.file ?? report.file,
    };
  }
}

/** Both ends inclusive. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/** The next lines to seal, ending where a message ends. */
function nextRange(store: Store, end: number, linesMax: number): Range | undefined {
  const row = store.sqlite
    .prepare<[number, number], { first: number | null; last: number | null }>(
      `SELECT min(sequence) AS first, max(sequence) AS last
       FROM (SELECT sequence FROM inbox WHERE sequence <= ? ORDER BY sequence LIMIT ?)`,
    )
    .get(end, linesMax);
  if (row === undefined || row.first === null || row.last === null) {
    return undefined;
  }
  const nextMessage = store.sqlite
    .prepare<[number, number], number>(
      "SELECT sequence FROM inbox WHERE sequence > ? AND sequence <= ? AND line = 0 ORDER BY sequence LIMIT 1",
    )
    .pluck()
    .get(row.last, end);
  return { first: row.first, last: nextMessage === undefined ? end : nextMessage - 1 };
}

async function sealRange(store: Store, range: Range): Promise<SealReport> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400 });
  try {
    const copied = await copyInbox(duckdb, store, range);
    const sources = (await duckdb.rows("SELECT DISTINCT source FROM inbox_line")).map((row) =>
      String(row["source"]),
    );
    await duckdb.run(
      `CREATE TEMP TABLE new_line AS SELECT * FROM inbox_line l WHERE NOT EXISTS (
         SELECT 1 FROM ${importedSql(store, sources)} h WHERE h.source = l.source AND h.message_id = l.message_id)`,
    );
    const file = await writeHistory(duckdb, store, {
      name: `live-${padded(range.first)}-${padded(range.last)}.parquet`,
      source: sources.length === 1 ? (sources[0] ?? null) : null,
      importRunId: null,
      imports: [],
      mappings: {},
    });
    await whenFree(store.sqlite, () => {
      changeManifest(store, () => {
        if (file !== null) {
          addHistoryFile(store, file, resolvedThrough(store.sqlite) >= range.last);
        }
        store.sqlite.prepare("DELETE FROM inbox WHERE sequence <= ?").run(range.last);
      });
    });
    const lines = file?.rows ?? 0;
    return { lines, linesLeftOut: copied - lines, file: file?.name ?? null };
  } finally {
    duckdb.close();
  }
}

/** Live messages are told apart when they arrive; only what files brought is looked up again. */
function importedSql(store: Store, sources: readonly string[]): string {
  const files = sources.flatMap((source) => importedFiles(store, source));
  return `(SELECT source, message_id FROM ${historySql(store, files)}
    WHERE source IN (${sources.map((source) => literal(source)).join(", ")}))`;
}

/** Copies lines to `inbox_line`, few at a time, since the event loop waits for each part. */
async function copyInbox(duckdb: DuckDb, store: Store, { first, last }: Range): Promise<number> {
  const columns = COPIED.map(([name, , type]) => `${name} ${type}`);
  await duckdb.run(`CREATE TEMP TABLE inbox_line (${columns.join(", ")})`);
  const read = store.sqlite
    .prepare<[number, number, number], SqlValue[]>(
      `SELECT ${COPIED.map(([, column]) => column).join(", ")} FROM inbox
       WHERE sequence >= ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
    )
    .raw();
  let copied = 0;
  const lots = async function* (): AsyncGenerator<SqlValue[][]> {
    for (let from = first; from <= last; ) {
      const rows = read.all(from, last, LINES_PER_COPY);
      if (rows.length === 0) {
        return;
      }
      yield rows;
      copied += rows.length;
      from = Number(rows.at(-1)?.[0]) + 1;
      await nextTurn();
    }
  };
  await duckdb.appendLots("inbox_line", lots());
  return copied;
}

function padded(sequence: number): string {
  return String(sequence).padStart(12, "0");
}
