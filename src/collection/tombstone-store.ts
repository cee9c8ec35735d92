import {
  type DuckDb,
  hasStoreKey,
  KEY_FILE,
  literal,
  openStoreKey,
  ServiceError,
  type Sqlite,
  type Store,
} from "../base/index.ts";
import type { EventLine } from "./event-lines.ts";
import { normaliseIdentifier } from "./identifier.ts";

/** An identifier, normalised. */
interface Name {
  readonly type: string;
  readonly value: string;
}

/** Tells whether identifiers were erased on request. The answer is of this moment, whichever process erased. */
export interface Tombstones {
  /** Nobody was erased. */
  isEmpty(): boolean;
  has(type: string, value: string): boolean;
  /** Whether any text in a value (JSON, whatever its shape) is an erased identifier as people write it. */
  isNamedIn(value: unknown): boolean;
}

/** Why what names an erased person is refused. */
export const ERASED_ON_REQUEST = "erased on request";

const ANSWERS_MAX = 50_000;

/**
 * The tombstones of a store. Hashes are read again when they changed; asking the same twice costs a
 * look into a map. Throws `not-ready` where the store's key is missing or another one than that which
 * made them, since erased persons would come back unseen.
 */
export function openTombstones(store: Store): Tombstones {
  const { sqlite } = store;
  const current = sqlite.prepare<[], number>("SELECT version FROM tombstone_version").pluck();
  let version = -1;
  let hashes = new Set<string>();
  let hash: (text: string) => string = () => "";
  const answers = new Map<string, boolean>();
  const refresh = (): void => {
    const now = current.get() ?? 0;
    if (now !== version) {
      const rows = readHashes(sqlite);
      hash = rows.length === 0 ? () => "" : keyOf(store, rows).hash;
      hashes = new Set(rows.map((row) => `${row.type}:${row.hash}`));
      answers.clear();
      version = now;
    }
  };
  const isErased = (type: string, value: string): boolean => {
    const name = `${type}:${value}`;
    const known = answers.get(name);
    if (known !== undefined) {
      return known;
    }
    if (answers.size >= ANSWERS_MAX) {
      answers.clear();
    }
    const answer = hashes.has(`${type}:${hash(name)}`);
    answers.set(name, answer);
    return answer;
  };
  const isNamed = (value: unknown, types: readonly string[]): boolean => {
    if (typeof value === "object" && value !== null) {
      return Object.values(value).some((part) => isNamed(part, types));
    }
    const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
    return types.some((type) => {
      const name = normaliseIdentifier(type, text);
      return name !== undefined && isErased(type, name);
    });
  };
  return {
    isEmpty: () => {
      refresh();
      return hashes.size === 0;
    },
    has: (type, value) => {
      refresh();
      return hashes.size > 0 && isErased(type, value);
    },
    isNamedIn: (value) => {
      refresh();
      const types = [...hashes].map((one) => one.slice(0, one.indexOf(":")));
      return types.length > 0 && isNamed(value, [...new Set(types)]);
    },
  };
}

interface HashRow {
  readonly type: string;
  readonly hash: string;
  readonly keyId: string;
}

function readHashes(sqlite: Sqlite): HashRow[] {
  return sqlite
    .prepare<[], HashRow>("SELECT type, hash, key_id AS keyId FROM tombstone ORDER BY type, hash")
    .all();
}

function keyOf(store: Store, rows: readonly HashRow[]): { hash: (text: string) => string } {
  const key = hasStoreKey(store) ? openStoreKey(store) : undefined;
  if (key === undefined || rows.some((row) => row.keyId !== key.id)) {
    throw new ServiceError(
      "not-ready",
      `${KEY_FILE}: this store has tombstones of erased persons, and ${key === undefined ? "no key" : "not the key"} that made them; put the right file back into the store's folder`,
    );
  }
  return key;
}

/** Refuses identifiers from now on; call inside a transaction. Returns how many are new, and their hashes. */
export function addTombstones(
  store: Store,
  names: readonly Name[],
  erasedAt: number,
  erasureId: string,
): readonly { readonly type: string; readonly hash: string }[] {
  const key = openStoreKey(store);
  const earlier = readHashes(store.sqlite);
  if (earlier.length > 0) {
    keyOf(store, earlier);
  }
  const insert = store.sqlite.prepare(
    "INSERT INTO tombstone VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const hashed = names.map(({ type, value }) => ({ type, hash: key.hash(`${type}:${value}`) }));
  for (const { type, hash } of hashed) {
    insert.run(type, hash, key.id, erasedAt, erasureId);
  }
  store.sqlite
    .prepare("INSERT INTO setting VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING")
    .run(KEY_CHECK, JSON.stringify(key.hash(KEY_CHECK)), erasedAt);
  noteChange(store.sqlite);
  return hashed;
}

/** The setting that holds a hash of its own name by the store's key, by which a changed key is known. */
const KEY_CHECK = "key-check";

/** What is wrong with the store's key, which tells who was erased; undefined where it is whole, or not needed yet. */
export function keyDamage(store: Store): string | undefined {
  const hashes = readHashes(store.sqlite);
  if (!hasStoreKey(store)) {
    return hashes.length === 0 ? undefined : "it is missing; put it back from a backup";
  }
  let key: ReturnType<typeof openStoreKey>;
  try {
    key = openStoreKey(store);
  } catch {
    return "it can't be read; put it back from a backup";
  }
  const check = store.sqlite
    .prepare<[string], string>("SELECT value FROM setting WHERE name = ?")
    .pluck()
    .get(KEY_CHECK);
  const isChanged =
    check !== undefined
      ? JSON.parse(check) !== key.hash(KEY_CHECK)
      : hashes.some(({ keyId }) => keyId !== key.id);
  return isChanged
    ? "it is not the key with which people were erased; put it back from a backup"
    : undefined;
}

/**
 * Lets an identifier in again, as one who comes back wishes. Throws `not-found` where it was not
 * erased, `invalid-input` where it can't be an identifier.
 */
export function liftTombstone(store: Store, type: string, raw: string): void {
  const value = normaliseIdentifier(type, raw);
  if (value === undefined) {
    throw new ServiceError("invalid-input", `value: not ${type}`, { field: "value" });
  }
  const rows = readHashes(store.sqlite);
  const hash = rows.length === 0 ? "" : keyOf(store, rows).hash(`${type}:${value}`);
  const { changes } = store.sqlite
    .prepare("DELETE FROM tombstone WHERE type = ? AND hash = ?")
    .run(type, hash);
  if (changes === 0) {
    throw new ServiceError("not-found", `no ${type} of this value was erased`, { field: "value" });
  }
  noteChange(store.sqlite);
}

function noteChange(sqlite: Sqlite): void {
  sqlite.prepare("UPDATE tombstone_version SET version = version + 1").run();
}

/** How many identifiers of each type are refused. */
export function countTombstones(store: Store): Readonly<Record<string, number>> {
  const rows = store.sqlite
    .prepare<[], [string, number]>("SELECT type, count(*) FROM tombstone GROUP BY type ORDER BY 1")
    .raw()
    .all();
  return Object.fromEntries(rows);
}

/** The field by which a message names an erased person; undefined where it names none. */
export function erasedField(
  tombstones: Tombstones,
  lines: readonly Pick<EventLine, "userId" | "anonymousId" | "identifiers">[],
): string | undefined {
  if (tombstones.isEmpty()) {
    return undefined;
  }
  for (const { userId, anonymousId, identifiers } of lines) {
    const field = fieldOf(tombstones, userId, anonymousId, identifiers);
    if (field !== undefined) {
      return field;
    }
  }
  return undefined;
}

function fieldOf(
  tombstones: Tombstones,
  userId: string | null,
  anonymousId: string | null,
  identifiers: string | null,
): string | undefined {
  if (userId !== null && tombstones.has("user_id", userId)) {
    return "userId";
  }
  if (anonymousId !== null && tombstones.has("anonymous_id", anonymousId)) {
    return "anonymousId";
  }
  const others = identifiers === null ? [] : (JSON.parse(identifiers) as [string, string][]);
  return others.find(([type, value]) => tombstones.has(type, value))?.[0];
}

/** Where a session's rows name somebody: an SQL expression of text as it was written, or normalised already. */
export interface NameColumn {
  readonly type: string;
  readonly sql: string;
  /** The field of the mapping. */
  readonly field: string;
  /** Where phone numbers without a country code are from. */
  readonly region?: string | undefined;
}

/**
 * Sets `error` of the rows of a session's table that name an erased person, and clears their `content`:
 * the hook of imports, before rejects are collected. User ids and visitors stand in `user_id` and
 * `anonymous_id`, others in the columns given.
 */
export async function refuseErasedRows(
  duckdb: DuckDb,
  store: Store,
  table: string,
  others: readonly NameColumn[],
): Promise<void> {
  const tombstones = openTombstones(store);
  if (tombstones.isEmpty()) {
    return;
  }
  const columns: readonly NameColumn[] = [
    { type: "user_id", sql: "user_id", field: "userId" },
    { type: "anonymous_id", sql: "anonymous_id", field: "anonymousId" },
    ...others,
  ];
  for (const { type, sql, field, region } of columns) {
    await duckdb.run("CREATE OR REPLACE TEMP TABLE erased_value (value VARCHAR)");
    const erased: [string][] = [];
    for await (const [values = []] of duckdb.chunks(
      `SELECT DISTINCT ${sql} FROM ${table} WHERE ${sql} IS NOT NULL`,
    )) {
      for (const text of values.map(String)) {
        const name = normaliseIdentifier(type, text, region);
        if (name !== undefined && tombstones.has(type, name)) {
          erased.push([text]);
        }
      }
    }
    await duckdb.append("erased_value", erased);
    await duckdb.run(
      `UPDATE ${table} SET error = {'field': ${literal(field)}, 'reason': ${literal(ERASED_ON_REQUEST)}}, content = NULL
       WHERE ${sql} IN (SELECT value FROM erased_value)`,
    );
  }
  await duckdb.run("DROP TABLE erased_value");
}
