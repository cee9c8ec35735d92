import { join } from "node:path";
import { literal, ServiceError, type Sqlite, type Store } from "../base/index.ts";
import { emptyHistorySql } from "./event.ts";

/** What the history holds. Instants in epoch milliseconds; null while it is empty. */
export interface HistorySummary {
  readonly rows: number;
  readonly firstOccurredAt: number | null;
  readonly lastOccurredAt: number | null;
  readonly lastKnownAt: number | null;
}

export interface HistoryFile {
  readonly name: string;
  /** Null where it comes from the inbox. */
  readonly source: string | null;
  readonly importRunId: string | null;
  readonly rows: number;
  readonly firstOccurredAt: number;
  readonly lastOccurredAt: number;
  readonly lastKnownAt: number;
  /** Size and SHA-256 (hex); null for older files. */
  readonly bytes: number | null;
  readonly sha256: string | null;
}

export interface ImportRun {
  readonly id: string;
  readonly source: string;
  readonly file: string;
  readonly checksum: string;
  readonly knownAtRule: string;
  readonly rowsRead: number;
  readonly rowsAccepted: number;
  readonly rowsDuplicate: number;
  readonly rowsRejected: number;
  readonly rejectsFile: string | null;
  readonly finishedAt: number;
}

/** A visible file, its place among them, and whether its identifiers have customers. */
export interface ManifestEntry extends HistoryFile {
  readonly position: number;
  readonly isResolved: boolean;
  /** What the last check found wrong with it; null where it is whole. */
  readonly damage: string | null;
}

/**
 * The history as a table expression for DuckDB: every visible file, or the given ones. Columns are
 * those of HISTORY_COLUMNS; instants are epoch milliseconds in UTC. Throws `damaged` where one of them is known to be.
 */
export function historySql(store: Store, names: readonly string[] = historyFiles(store)): string {
  if (names.length === 0) {
    return emptyHistorySql();
  }
  refuseDamaged(store, names);
  const folder = store.path("history");
  const files = names.map((name) => literal(join(folder, name)));
  // Files written before a column existed lack it.
  return `(SELECT * FROM ${emptyHistorySql()} UNION ALL BY NAME SELECT * FROM read_parquet([${files.join(", ")}], union_by_name = true))`;
}

/** Throws `damaged` where a check found one of these files damaged: nothing is learned or told from it. */
function refuseDamaged(store: Store, names: readonly string[]): void {
  const damaged = store.sqlite
    .prepare<[], { name: string; damage: string }>(
      "SELECT name, damage FROM history_file WHERE damage IS NOT NULL ORDER BY rowid",
    )
    .all()
    .filter(({ name }) => names.includes(name));
  const [first] = damaged;
  if (first !== undefined) {
    throw new ServiceError(
      "damaged",
      `the history file ${first.name} is damaged: ${first.damage}${damaged.length > 1 ? ` (and ${damaged.length - 1} more)` : ""}; put it back from a backup, then run herkoop doctor`,
    );
  }
}

/** The visible files in their order, which is that of coming; `unresolved` only those whose identifiers have no customer yet. */
export function historyFiles(store: Store, which: "all" | "unresolved" = "all"): string[] {
  return manifest(store)
    .filter((file) => which === "all" || !file.isResolved)
    .map((file) => file.name);
}

/** Whether the lines of a file came over the wire, and were not rows of an imported one. */
export function isLiveFile(store: Store, name: string): boolean {
  return (
    store.sqlite
      .prepare<[string], number>(
        "SELECT 1 FROM history_file WHERE name = ? AND import_run_id IS NULL",
      )
      .pluck()
      .get(name) !== undefined
  );
}

/** The manifest: every visible file, in order. */
export function manifest(store: Store): ManifestEntry[] {
  return readManifest(store.sqlite);
}

/** The manifest in a database, such as a copy. */
export function readManifest(sqlite: Sqlite): ManifestEntry[] {
  return sqlite
    .prepare<[], Omit<ManifestEntry, "isResolved"> & { readonly isResolved: number }>(
      `SELECT rowid AS position, name, source, import_run_id AS importRunId, row_count AS rows,
              first_occurred_at AS firstOccurredAt, last_occurred_at AS lastOccurredAt,
              last_known_at AS lastKnownAt, is_resolved AS isResolved, byte_count AS bytes, sha256, damage
       FROM history_file ORDER BY rowid`,
    )
    .all()
    .map((row) => ({ ...row, isResolved: row.isResolved === 1 }));
}

/**
 * Marks files as resolved; call inside the transaction that stores their customers. Throws `conflict`,
 * so that it is rolled back, where one was merged or rewritten meanwhile.
 */
export function markResolved(store: Store, names: readonly string[]): void {
  const update = store.sqlite.prepare("UPDATE history_file SET is_resolved = 1 WHERE name = ?");
  for (const name of names) {
    if (update.run(name).changes === 0) {
      throw new ServiceError("conflict", `the history file ${name} was replaced meanwhile; repeat`);
    }
  }
}

/** Counts and span of the history, from the manifest alone. */
export function historySummary(store: Store): HistorySummary {
  const row = store.sqlite
    .prepare<
      [],
      { rows: number | null; first: number | null; last: number | null; known: number | null }
    >(
      `SELECT sum(row_count) AS rows, min(first_occurred_at) AS first,
              max(last_occurred_at) AS last, max(last_known_at) AS known FROM history_file`,
    )
    .get();
  return {
    rows: row?.rows ?? 0,
    firstOccurredAt: row?.first ?? null,
    lastOccurredAt: row?.last ?? null,
    lastKnownAt: row?.known ?? null,
  };
}

/** Past imports, the latest first. */
export function importRuns(store: Store): ImportRun[] {
  return store.sqlite
    .prepare<[], ImportRun>(
      `SELECT id, source, file, checksum, known_at_rule AS knownAtRule, rows_read AS rowsRead,
              rows_accepted AS rowsAccepted, rows_duplicate AS rowsDuplicate, rows_rejected AS rowsRejected,
              rejects_file AS rejectsFile, finished_at AS finishedAt
       FROM import_run ORDER BY finished_at DESC, rowid DESC`,
    )
    .all();
}

/** Records an import's run. Call inside a transaction. */
export function addImportRun(store: Store, run: ImportRun): void {
  store.sqlite
    .prepare(
      `INSERT INTO import_run VALUES (@id, @source, @file, @checksum, @knownAtRule, @rowsRead,
         @rowsAccepted, @rowsDuplicate, @rowsRejected, @rejectsFile, @finishedAt)`,
    )
    .run(run);
}

/** The files that imports of this source brought. */
export function importedFiles(store: Store, source: string): string[] {
  return store.sqlite
    .prepare<[string], string>(
      "SELECT name FROM history_file WHERE source = ? AND import_run_id IS NOT NULL ORDER BY rowid",
    )
    .pluck()
    .all(source);
}

/**
 * Stores a source's latest mapping; its product rules and consent take effect at the next build. What
 * it does not say of products or consent stays as an earlier mapping of the source said it.
 */
export function updateSource(sqlite: Sqlite, source: string, json: string, now: number): void {
  const earlier = sqlite
    .prepare<[string], string>("SELECT mapping FROM source WHERE name = ?")
    .pluck()
    .get(source);
  const merged = { ...kept(earlier), ...(JSON.parse(json) as object) };
  sqlite
    .prepare(
      `INSERT INTO source VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET mapping = excluded.mapping, updated_at = excluded.updated_at`,
    )
    .run(source, JSON.stringify(merged), now);
}

function kept(earlier: string | undefined): object {
  const { products, consent } = JSON.parse(earlier ?? "{}") as {
    products?: object;
    consent?: object;
  };
  return {
    ...(products === undefined ? {} : { products }),
    ...(consent === undefined ? {} : { consent }),
  };
}

/** Adds a source; one that is there keeps its mapping. */
export function addSource(store: Store, source: string, json: string, now: number): void {
  store.sqlite
    .prepare("INSERT INTO source VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING")
    .run(source, json, now);
}

/** Every source's mapping as JSON text, by name. */
export function sourceMappings(store: Store): Map<string, string> {
  const rows = store.sqlite
    .prepare<[], { name: string; mapping: string }>(
      "SELECT name, mapping FROM source ORDER BY name",
    )
    .all();
  return new Map(rows.map((row) => [row.name, row.mapping]));
}
