import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import {
  type Clock,
  type DuckDb,
  inTurns,
  literal,
  openReader,
  removeStrays,
  ServiceError,
  type Sqlite,
  type Store,
  writeWhenFree,
} from "../base/index.ts";

/** Writes who is who next to the history, unless the latest snapshot already says so and is whole. */
export async function writeSnapshot(store: Store, clock: Clock, duckdb: DuckDb): Promise<void> {
  const version = versionOf(store.sqlite);
  const latest = latestSnapshot(store);
  if (latest?.version === version && snapshotDamage(store) === undefined) {
    return;
  }
  const generation = (latest?.generation ?? 0) + 1;
  const file = nameOf(generation);
  await duckdb.run(
    "CREATE OR REPLACE TEMP TABLE identity (type VARCHAR, value VARCHAR, customer_id DOUBLE, linked_at_ms DOUBLE)",
  );
  const copied = await copyIdentity(store, duckdb);
  const target = join(store.path("customers"), file);
  const partial = store.partial(target);
  await duckdb.run(
    `COPY (SELECT type, value, CAST(customer_id AS INTEGER) AS customer_id, CAST(linked_at_ms AS BIGINT) AS linked_at_ms FROM identity ORDER BY 1, 2)
     TO ${literal(partial)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  const sha256 = sha256Of(readFileSync(partial));
  renameSync(partial, target);
  await writeWhenFree(store.sqlite, () =>
    store.sqlite
      .prepare("INSERT OR REPLACE INTO identity_snapshot VALUES (?, ?, ?, ?, ?, ?)")
      .run(generation, file, copied.rows, clock.now(), copied.version, sha256),
  );
  removeStrays(
    store.path("customers"),
    (name) => !SNAPSHOT_NAME.test(name) || name >= nameOf(generation - 1),
  );
}

/** How snapshots are called; other files in their folder are not ours to delete. */
export const SNAPSHOT_NAME = /^identity-\d+\.parquet$/;

interface LatestSnapshot {
  readonly generation: number;
  readonly version: number;
  readonly file: string;
  readonly sha256: string | null;
}

function latestSnapshot({ sqlite }: Store): LatestSnapshot | undefined {
  return sqlite
    .prepare<[], LatestSnapshot>(
      "SELECT generation, identity_version AS version, file, sha256 FROM identity_snapshot ORDER BY generation DESC LIMIT 1",
    )
    .get();
}

/** What is wrong with the latest snapshot of who is who, as its file and what it has; undefined where it is whole, or there is none. */
export function snapshotDamage(store: Store): { file: string; damage: string } | undefined {
  const latest = latestSnapshot(store);
  if (latest === undefined) {
    return undefined;
  }
  const file = `customers/${latest.file}`;
  const path = join(store.path("customers"), latest.file);
  if (!existsSync(path)) {
    return { file, damage: "it is missing; herkoop resolve writes it again" };
  }
  return latest.sha256 === null || sha256Of(readFileSync(path)) === latest.sha256
    ? undefined
    : { file, damage: "its bytes have changed; herkoop resolve writes it again" };
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface CopiedIdentity {
  readonly rows: number;
  readonly version: number | undefined;
}

const ROWS_PER_TURN = 100;

/** Copies who is who to `identity`, as of one instant, while events go on being taken in. */
async function copyIdentity(store: Store, duckdb: DuckDb): Promise<CopiedIdentity> {
  const reader = openReader(store.sqlite);
  try {
    const version = versionOf(reader);
    const rows = reader
      .prepare<[], [string, string, number, number]>(
        "SELECT type, value, customer_id, linked_at FROM identifier WHERE customer_id IS NOT NULL",
      )
      .raw();
    let copied = 0;
    const lots = async function* (): AsyncGenerator<[string, string, number, number][]> {
      for await (const lot of inTurns(rows.iterate(), ROWS_PER_TURN)) {
        copied += lot.length;
        yield lot;
      }
    };
    await duckdb.appendLots("identity", lots());
    return { rows: copied, version };
  } finally {
    reader.close();
  }
}

function versionOf(sqlite: Sqlite): number | undefined {
  return sqlite.prepare<[], number>("SELECT identity_version FROM resolve_position").pluck().get();
}

function nameOf(generation: number): string {
  return `identity-${String(generation).padStart(6, "0")}.parquet`;
}

/**
 * The map from identifier to customer as a DuckDB table expression: type, value, customer_id, and
 * linked_at_ms, before which nobody knew that this identifier was that customer's.
 */
export function identitySql(store: Store): string {
  const file = identityFile(store);
  return file === undefined
    ? "(SELECT NULL::VARCHAR AS type, NULL::VARCHAR AS value, NULL::INTEGER AS customer_id, NULL::BIGINT AS linked_at_ms WHERE 1 = 0)"
    : `read_parquet(${literal(file)})`;
}

/** The Parquet file of that map; undefined before the first. Throws `damaged` where it is. */
export function identityFile(store: Store): string | undefined {
  const fault = snapshotDamage(store);
  if (fault !== undefined) {
    throw new ServiceError("damaged", `${fault.file} is damaged: ${fault.damage}`);
  }
  const latest = latestSnapshot(store);
  return latest === undefined ? undefined : join(store.path("customers"), latest.file);
}

/** What another engine than DuckDB says otherwise. */
export interface ResolvedLinesForm {
  /** The columns of the lines besides `known_at_ms`. */
  readonly columns: readonly string[];
  /** The text at a path of JSON text. */
  jsonText(sql: string, path: string): string;
}

/**
 * Lines of the history (a table or view that has all its columns) with `customer_id`, known from when the
 * line and the customer were: whose a line is follows from its user id, else from the strongest other
 * identifier, else from its visitor; a claim is its visitor's only. Lines of nobody are left out.
 */
export function resolvedLinesSql(
  lines: string,
  identity: string,
  form?: ResolvedLinesForm,
): string {
  const on = (alias: string, type: string, value: string): string =>
    `LEFT JOIN ${identity} ${alias} ON ${alias}.type = ${type} AND ${alias}.value = ${value}`;
  const owner = (column: string): string =>
    `CASE WHEN coalesce(h.is_claim, false) THEN v.${column} ELSE coalesce(u.${column}, o.${column}, v.${column}) END`;
  const other = (position: number): string =>
    form === undefined
      ? `json_extract_string(h.identifiers, '$[0][${position}]')`
      : form.jsonText("h.identifiers", `$[0][${position}]`);
  const knownAt = `greatest(h.known_at_ms, ${owner("linked_at_ms")})`;
  const columns =
    form === undefined
      ? `h.* REPLACE (${knownAt} AS known_at_ms)`
      : [...form.columns.map((name) => `h.${name}`), `${knownAt} AS known_at_ms`].join(", ");
  return `SELECT ${columns}, ${owner("customer_id")} AS customer_id
    FROM ${lines} h
    ${on("u", "'user_id'", "h.user_id")}
    ${on("o", other(0), other(1))}
    ${on("v", "'anonymous_id'", "h.anonymous_id")}
    WHERE ${owner("customer_id")} IS NOT NULL`;
}
