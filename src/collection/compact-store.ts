import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Store, whenFree } from "../base/index.ts";
import {
  COMPACTION_LIMITS,
  type CompactableFile,
  type CompactionLimits,
  planCompaction,
} from "./compaction.ts";
import { HISTORY_ORDER, writeHistoryFile } from "./history-file-store.ts";
import { historySql, type ManifestEntry, manifest } from "./history-store.ts";
import { replaceHistoryFiles } from "./manifest-change-store.ts";
import { originsOf } from "./origin-store.ts";
import { deleteRetired } from "./retired-store.ts";

/** What a compaction did. */
export interface CompactionReport {
  readonly merges: number;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly rowsRewritten: number;
  /** Replaced files that a session may still read; a later writer deletes them. */
  readonly filesRetired: number;
}

/** How a compaction is bounded. */
export interface CompactionOptions {
  readonly limits?: CompactionLimits;
  /** All there are to do unless given. */
  readonly mergesMax?: number;
}

/**
 * Merges small adjacent history files, the same rows, ordered by time. Files become one only where
 * they tell the same: of a source's imports, or from the inbox, and alike in whether their identifiers
 * are resolved. A merged file takes the place of its first part, in the transaction that retires all
 * of them. Call it as the only writer.
 */
export async function compactHistory(
  store: Store,
  { limits = COMPACTION_LIMITS, mergesMax = Number.POSITIVE_INFINITY }: CompactionOptions = {},
): Promise<CompactionReport> {
  const filesBefore = manifest(store).length;
  let merges = 0;
  let rowsRewritten = 0;
  while (merges < mergesMax) {
    const parts = nextParts(store, limits);
    if (parts === undefined) {
      break;
    }
    rowsRewritten += await merge(store, parts);
    merges++;
  }
  const filesRetired = await whenFree(store.sqlite, () => deleteRetired(store));
  return { merges, filesBefore, filesAfter: manifest(store).length, rowsRewritten, filesRetired };
}

function nextParts(store: Store, limits: CompactionLimits): readonly ManifestEntry[] | undefined {
  const entries = new Map(manifest(store).map((entry) => [entry.name, entry]));
  const files = [...entries.values()].map((entry): CompactableFile => {
    const origin = entry.importRunId === null ? "live" : `import of ${entry.source ?? ""}`;
    return {
      name: entry.name,
      group: `${origin}, ${entry.isResolved ? "resolved" : "unresolved"}`,
      bytes: statSync(join(store.path("history"), entry.name)).size,
    };
  });
  return planCompaction(files, limits)?.flatMap(({ name }) => entries.get(name) ?? []);
}

async function merge(store: Store, parts: readonly ManifestEntry[]): Promise<number> {
  const names = parts.map((part) => part.name);
  const [first] = parts;
  const last = parts.at(-1);
  if (first === undefined || last === undefined) {
    return 0;
  }
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400, threads: 2 });
  let file: Awaited<ReturnType<typeof writeHistoryFile>>;
  try {
    file = await writeHistoryFile(
      duckdb,
      store,
      {
        name: `merged-${createHash("sha256").update(names.join("\n")).digest("hex").slice(0, 16)}.parquet`,
        source: parts.every((part) => part.source === first.source) ? first.source : null,
        importRunId: last.importRunId,
        ...(await originsOf(duckdb, store, parts)),
      },
      rows,
      `SELECT * FROM ${historySql(store, names)} ORDER BY ${HISTORY_ORDER}`,
    );
  } finally {
    duckdb.close();
  }
  const by = { ...first, ...file };
  await whenFree(store.sqlite, () => {
    replaceHistoryFiles(store, [{ old: parts, by }], { mayBeRead: true });
  });
  return rows;
}
