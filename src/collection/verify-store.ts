import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, DuckDbError, literal, ServiceError, type Store } from "../base/index.ts";
import { checksumOf } from "./checksum.ts";
import { type ManifestEntry, manifest } from "./history-store.ts";

/** What is wrong with a file, in words. */
export interface Damage {
  readonly file: string;
  readonly damage: string;
}

/** What a check of the history came to. */
export interface Verification {
  readonly filesVerified: number;
  /** Older files had no checksum: it was taken now, and protects from here on. */
  readonly checksumsTaken: number;
  readonly damaged: readonly Damage[];
}

/**
 * Compares history files (all that the database lists, or the given ones) with the size and SHA-256 that were noted when they
 * were written, and notes which are damaged: whatever reads the history refuses then, until a later check finds them whole.
 */
export async function verifyHistory(
  store: Store,
  names?: readonly string[],
): Promise<Verification> {
  const entries = manifest(store).filter(({ name }) => names?.includes(name) ?? true);
  const damaged: Damage[] = [];
  let checksumsTaken = 0;
  for (const entry of entries) {
    const damage =
      entry.sha256 === null ? await firstCheck(store, entry) : await damageOf(store, entry);
    if (damage === "taken") {
      checksumsTaken++;
    }
    const found = damage === "taken" ? null : damage;
    noteDamage(store, entry, found);
    if (found !== null) {
      damaged.push({ file: `history/${entry.name}`, damage: found });
    }
  }
  return { filesVerified: entries.length, checksumsTaken, damaged };
}

function noteDamage(store: Store, { name, damage }: ManifestEntry, found: string | null): void {
  if (damage !== found) {
    store.sqlite.prepare("UPDATE history_file SET damage = ? WHERE name = ?").run(found, name);
  }
}

async function damageOf(store: Store, entry: ManifestEntry): Promise<string | null> {
  const path = join(store.path("history"), entry.name);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    // A rewrite may have replaced it meanwhile.
    return isListed(store, entry) ? "it is missing" : null;
  }
  if (size !== entry.bytes) {
    return `it has ${size} bytes instead of ${entry.bytes ?? 0}`;
  }
  try {
    return (await checksumOf(path)).sha256 === entry.sha256 ? null : "its bytes have changed";
  } catch (error) {
    if (!existsSync(path) && !isListed(store, entry)) {
      return null;
    }
    return `it can't be read (${(error as NodeJS.ErrnoException).code ?? "unknown reason"})`;
  }
}

function isListed(store: Store, { name }: ManifestEntry): boolean {
  return store.sqlite.prepare("SELECT 1 FROM history_file WHERE name = ?").get(name) !== undefined;
}

/** Without a checksum a file is whole if every value can be read and the rows are as many as were noted. */
async function firstCheck(store: Store, entry: ManifestEntry): Promise<string | null> {
  const path = join(store.path("history"), entry.name);
  if (!existsSync(path)) {
    return isListed(store, entry) ? "it is missing" : null;
  }
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400, threads: 1 });
  try {
    const rows = await countReadable(duckdb, path);
    if (rows !== entry.rows) {
      return `it has ${rows} rows instead of ${entry.rows}`;
    }
  } catch {
    return "its content can't be read";
  } finally {
    duckdb.close();
  }
  const { bytes, sha256 } = await checksumOf(path);
  store.sqlite
    .prepare("UPDATE history_file SET byte_count = ?, sha256 = ? WHERE name = ?")
    .run(bytes, sha256, entry.name);
  return "taken";
}

/** The rows of a Parquet file, each of whose values was read. */
async function countReadable(duckdb: DuckDb, path: string): Promise<number> {
  const [row] = await duckdb.rows(
    `SELECT count(*) AS n, bit_xor(hash(f)) AS read FROM read_parquet(${literal(path)}) f`,
  );
  return Number(row?.["n"]);
}

/** Checks the next history file at each call, again and again. Returns what is damaged by now. */
export function openSlowVerification(store: Store): () => Promise<readonly Damage[]> {
  let last = "";
  return async () => {
    const names = manifest(store)
      .map(({ name }) => name)
      .sort();
    const next = names.find((name) => name > last) ?? names[0];
    if (next !== undefined) {
      await verifyHistory(store, [next]);
    }
    last = next ?? "";
    return knownDamage(store);
  };
}

/** The files that the last check of each found damaged. */
export function knownDamage(store: Store): Damage[] {
  return manifest(store).flatMap(({ name, damage }) =>
    damage === null ? [] : [{ file: `history/${name}`, damage }],
  );
}

/**
 * Does work that reads the history. Where the engine fails, every file is checked, and a damaged one is what the error names:
 * throws `damaged` then, and else what the work threw.
 */
export async function namingDamage<T>(store: Store, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { damaged } = error instanceof DuckDbError ? await verifyHistory(store) : { damaged: [] };
    if (damaged.length === 0) {
      throw error;
    }
    throw new ServiceError(
      "damaged",
      `${damaged.map(({ file, damage }) => `${file} is damaged: ${damage}`).join("; ")}; put it back from a backup, then run herkoop doctor`,
      { cause: error },
    );
  }
}
