import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, literal, type Store } from "../base/index.ts";
import { HISTORY_COLUMNS } from "./event.ts";
import { historyFiles, historySql } from "./history-store.ts";

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

interface Replacement extends RewrittenFile {
  readonly summary: readonly [number, number, number, number];
}

/**
 * Removes or changes the rows of the history that a predicate is true of, all or none: the files with
 * such rows, and only those, are written anew and change places with the old ones in one transaction.
 * When it returns, the old files are deleted; whoever still read them fails and can be repeated. Call it
 * as the only writer.
 */
export async function rewriteHistory(
  store: Store,
  rewrite: Rewrite,
): Promise<readonly RewrittenFile[]> {
  const duckdb = await store.openDuckDb();
  try {
    await rewrite.prepare?.(duckdb);
    const replacements: Replacement[] = [];
    for (const file of historyFiles(store)) {
      const [found] = await duckdb.rows(
        `SELECT count(*) AS n FROM ${historySql(store, [file])} WHERE ${rewrite.where}`,
      );
      const rows = Number(found?.["n"]);
      if (rows > 0) {
        replacements.push(await rewriteFile(duckdb, store, file, rows, rewrite));
      }
    }
    replaceAll(store, replacements);
    const folder = store.path("history");
    for (const { file } of replacements) {
      rmSync(join(folder, file), { force: true });
    }
    flush(folder);
    return replacements.map(({ file, rows, replacedBy }) => ({ file, rows, replacedBy }));
  } finally {
    duckdb.close();
  }
}

async function rewriteFile(
  duckdb: DuckDb,
  store: Store,
  file: string,
  rows: number,
  { where, set }: Rewrite,
): Promise<Replacement> {
  const from = historySql(store, [file]);
  const changes = Object.entries(set ?? {}).map(([column, sql]) => {
    const type = HISTORY_COLUMNS.find(([name]) => name === column)?.[1] ?? "VARCHAR";
    return `CASE WHEN ${where} THEN CAST(${sql} AS ${type}) ELSE ${column} END AS ${column}`;
  });
  const query =
    changes.length > 0
      ? `SELECT * REPLACE (${changes.join(", ")}) FROM ${from}`
      : `SELECT * FROM ${from} WHERE (${where}) IS NOT TRUE`;
  const replacedBy = nextName(file);
  const target = join(store.path("history"), replacedBy);
  const partial = `${target}.partial`;
  await duckdb.run(`COPY (${query}) TO ${literal(partial)} (FORMAT parquet, COMPRESSION zstd)`);
  const [row] = await duckdb.rows(
    `SELECT count(*) AS n, min(occurred_at_ms) AS first, max(occurred_at_ms) AS last, max(known_at_ms) AS known
     FROM read_parquet(${literal(partial)})`,
  );
  const summary = [row?.["n"], row?.["first"], row?.["last"], row?.["known"]].map(
    Number,
  ) as unknown as Replacement["summary"];
  if (summary[0] === 0) {
    rmSync(partial);
    return { file, rows, replacedBy: null, summary };
  }
  flush(partial);
  renameSync(partial, target);
  return { file, rows, replacedBy, summary };
}

function replaceAll(store: Store, replacements: readonly Replacement[]): void {
  flush(store.path("history"));
  const replace = store.sqlite.prepare(
    `UPDATE history_file SET name = ?, row_count = ?, first_occurred_at = ?, last_occurred_at = ?, last_known_at = ?
     WHERE name = ?`,
  );
  const remove = store.sqlite.prepare("DELETE FROM history_file WHERE name = ?");
  store.sqlite
    .transaction(() => {
      for (const { file, replacedBy, summary } of replacements) {
        if (replacedBy === null) {
          remove.run(file);
        } else {
          replace.run(replacedBy, ...summary, file);
        }
      }
    })
    .immediate();
}

/** `orders.parquet` becomes `orders.2.parquet`, that `orders.3.parquet`: a name is never used again. */
function nextName(name: string): string {
  const [, base = name, version = "1"] = /^(.*?)(?:\.(\d+))?\.parquet$/.exec(name) ?? [];
  return `${base}.${Number(version) + 1}.parquet`;
}

function flush(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}
