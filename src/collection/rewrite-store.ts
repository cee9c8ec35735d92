import { existsSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, ServiceError, type Store, whenFree } from "../base/index.ts";
import { HISTORY_COLUMNS } from "./event.ts";
import { flush, writeHistoryFile } from "./history-file-store.ts";
import { historySql, type ManifestEntry, manifest } from "./history-store.ts";
import { replaceHistoryFiles } from "./manifest-change-store.ts";
import { originsOf } from "./origin-store.ts";
import { deleteFilesNow, retiredFiles } from "./retired-store.ts";

/** Which rows of the history, and what becomes of them. */
export interface Rewrite {
  /** SQL over the history's columns; a row is meant where it is true. */
  readonly where: string;
  /** New values as SQL over the row's old ones, by column; without it the rows are removed. */
  readonly set?: Readonly<Record<string, string>>;
  /** Makes tables of the session that `where` and `set` name. */
  readonly prepare?: (duckdb: DuckDb) => Promise<void>;
}

/** A file that had such rows. */
export interface RewrittenFile {
  readonly file: string;
  readonly rows: number;
  /** The file that holds the rest; null where nothing is left. */
  readonly replacedBy: string | null;
}

/**
 * Removes or changes the rows of the history that a predicate is true of, all or none: the files with
 * such rows, and only those, are written anew and change places with the old ones in one transaction.
 * When it returns, the old files are deleted, also those that a compaction had retired; whoever still
 * read them fails and can be repeated. Call it as the only writer. Throws `invalid-input` for a column
 * the history does not have.
 */
export async function rewriteHistory(
  store: Store,
  rewrite: Rewrite,
): Promise<readonly RewrittenFile[]> {
  refuseUnknownColumns(rewrite);
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 600 });
  try {
    await rewrite.prepare?.(duckdb);
    const entries = manifest(store);
    const names = entries.map((entry) => entry.name);
    const counts = await countPerFile(duckdb, store, [...names, ...retiredFiles(store)], rewrite);
    const replacements: { old: [ManifestEntry]; by: ManifestEntry | null }[] = [];
    for (const entry of entries.filter(({ name }) => counts.has(name))) {
      const changed = counts.get(entry.name) ?? 0;
      const by = await rewriteFile(duckdb, store, entry, rewrite, changed);
      replacements.push({ old: [entry], by });
    }
    await whenFree(store.sqlite, () => {
      replaceHistoryFiles(store, replacements, { mayBeRead: false });
    });
    await whenFree(store.sqlite, () => {
      deleteFilesNow(store, [...counts.keys()]);
    });
    flush(store.path("history"));
    return replacements.map(({ old: [{ name }], by }) => ({
      file: name,
      rows: counts.get(name) ?? 0,
      replacedBy: by?.name ?? null,
    }));
  } finally {
    duckdb.close();
  }
}

function refuseUnknownColumns({ set = {} }: Rewrite): void {
  const known = HISTORY_COLUMNS.map(([name]): string => name);
  for (const column of Object.keys(set)) {
    if (!known.includes(column)) {
      throw new ServiceError(
        "invalid-input",
        `set: expected columns of the history (${known.join(", ")}), got "${column}"`,
        { field: "set" },
      );
    }
  }
}

async function countPerFile(
  duckdb: DuckDb,
  store: Store,
  names: readonly string[],
  { where }: Pick<Rewrite, "where">,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const present = names.filter((name) => existsSync(join(store.path("history"), name)));
  for (const name of present) {
    const rows = await duckdb.rows(
      `SELECT count(*) AS n FROM ${historySql(store, [name])} WHERE ${where}`,
    );
    const count = Number(rows[0]?.["n"]);
    if (count > 0) {
      found.set(name, count);
    }
  }
  return found;
}

async function rewriteFile(
  duckdb: DuckDb,
  store: Store,
  entry: ManifestEntry,
  { where, set }: Rewrite,
  rowsMeant: number,
): Promise<ManifestEntry | null> {
  const from = historySql(store, [entry.name]);
  const changes = Object.entries(set ?? {}).map(([column, sql]) => {
    const type = HISTORY_COLUMNS.find(([name]) => name === column)?.[1] ?? "VARCHAR";
    return `CASE WHEN ${where} THEN CAST(${sql} AS ${type}) ELSE ${column} END AS ${column}`;
  });
  const query =
    changes.length > 0
      ? `SELECT * REPLACE (${changes.join(", ")}) FROM ${from}`
      : `SELECT * FROM ${from} WHERE (${where}) IS NOT TRUE`;
  const { source, importRunId } = entry;
  const written = await writeHistoryFile(
    duckdb,
    store,
    {
      ...{ name: nextName(entry.name), source, importRunId },
      ...(await originsOf(duckdb, store, [entry])),
    },
    changes.length > 0 ? entry.rows : entry.rows - rowsMeant,
    query,
  );
  return written === null ? null : { ...entry, ...written };
}

/** `orders.parquet` becomes `orders.2.parquet`, that `orders.3.parquet`: a name is never used again. */
function nextName(name: string): string {
  const [, base = name, version = "1"] = /^(.*?)(?:\.(\d+))?\.parquet$/.exec(name) ?? [];
  return `${base}.${Number(version) + 1}.parquet`;
}
