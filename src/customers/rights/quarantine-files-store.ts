import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { type DuckDb, DuckDbError, literal, type Store } from "../../base/index.ts";
import { emptyHistorySql } from "../../collection/index.ts";
import { namedOrMentionedSql } from "./person-history-store.ts";
import type { Person } from "./person-store.ts";

/** What erasing did to history files that were set aside. */
export interface QuarantineErasure {
  readonly removed: number;
  /** Files, named from the store's folder, that nobody can look into; who is in them can't be told. */
  readonly unsearched: readonly string[];
}

/**
 * Removes the rows that name or mention a person from the history files that were set aside. Other files there are searched
 * byte by byte, as everything in the store is.
 */
export async function eraseFromQuarantine(
  store: Store,
  { identifiers }: Person,
): Promise<QuarantineErasure> {
  const where = namedOrMentionedSql(identifiers);
  const unsearched: string[] = [];
  let removed = 0;
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400 });
  try {
    for (const name of parquetNames(store)) {
      const rows = await removeRows(duckdb, join(store.path("quarantine"), name), where);
      removed += rows ?? 0;
      if (rows === undefined) {
        unsearched.push(`quarantine/${name}`);
      }
    }
  } finally {
    duckdb.close();
  }
  return { removed, unsearched };
}

function parquetNames(store: Store): string[] {
  const folder = join(store.folder, "quarantine");
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".parquet")) : [];
}

/** Undefined where the file is no history file that can be read. */
async function removeRows(
  duckdb: DuckDb,
  file: string,
  where: string,
): Promise<number | undefined> {
  // Older files lack columns.
  const from = `(SELECT * FROM ${emptyHistorySql()} UNION ALL BY NAME SELECT * FROM read_parquet(${literal(file)}))`;
  try {
    const [counted] = await duckdb.rows(`SELECT count(*) AS n FROM ${from} WHERE ${where}`);
    const rows = Number(counted?.["n"]);
    if (rows > 0) {
      const partial = `${file}.partial`;
      await duckdb.run(
        `COPY (SELECT * FROM ${from} WHERE (${where}) IS NOT TRUE) TO ${literal(partial)} (FORMAT parquet, COMPRESSION zstd)`,
      );
      const handle = openSync(partial, "r");
      fsyncSync(handle);
      closeSync(handle);
      renameSync(partial, file);
    }
    return rows;
  } catch (error) {
    if (error instanceof DuckDbError) {
      rmSync(`${file}.partial`, { force: true });
      return undefined;
    }
    throw error;
  }
}
