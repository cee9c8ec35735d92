import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type Clock, ServiceError, type Store } from "../base/index.ts";
import { addSource } from "./history-store.ts";
import { segmentMapping } from "./mapping.ts";

/** A write key as it is kept: never the key itself. Instants in epoch milliseconds. */
export interface WriteKey {
  readonly id: string;
  readonly source: string;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

const COLUMNS = "id, source, created_at AS createdAt, revoked_at AS revokedAt";

/**
 * Makes a key that may send events of a source, and the source where it is new. The key is returned
 * once; only its hash is stored. `secret` is chance, given.
 */
export function createWriteKey(
  store: Store,
  clock: Clock,
  source: string,
  secret: Buffer = randomBytes(24),
): WriteKey & { readonly key: string } {
  const mapping = segmentMapping(source);
  const key = `hk_${secret.toString("base64url")}`;
  const sha256 = hashOf(key).toString("hex");
  const createdAt = clock.now();
  const id = sha256.slice(0, 12);
  store.sqlite.transaction(() => {
    addSource(store, source, JSON.stringify(mapping), createdAt);
    store.sqlite
      .prepare("INSERT INTO write_key VALUES (?, ?, ?, ?, NULL)")
      .run(id, source, sha256, createdAt);
  })();
  return { id, source, createdAt, revokedAt: null, key };
}

/** Every key, the oldest first. */
export function listWriteKeys(store: Store): WriteKey[] {
  return store.sqlite
    .prepare<[], WriteKey>(`SELECT ${COLUMNS} FROM write_key ORDER BY created_at, id`)
    .all();
}

/** Ends a key at once; a revoked one stays so. Throws `not-found` where there is none of this id. */
export function revokeWriteKey(store: Store, clock: Clock, id: string): WriteKey {
  store.sqlite
    .prepare("UPDATE write_key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?")
    .run(clock.now(), id);
  const key = listWriteKeys(store).find((one) => one.id === id);
  if (key === undefined) {
    throw new ServiceError("not-found", `id: there is no write key ${id}; herkoop keys list`, {
      field: "id",
    });
  }
  return key;
}

/** The source a key may write to; undefined where it may not. Takes as long for a wrong key as for a right one. */
export function sourceOfKey(store: Store, key: string): string | undefined {
  const given = hashOf(key);
  const active = store.sqlite
    .prepare<[], { source: string; sha256: string }>(
      "SELECT source, sha256 FROM write_key WHERE revoked_at IS NULL",
    )
    .all();
  let source: string | undefined;
  for (const one of active) {
    if (timingSafeEqual(Buffer.from(one.sha256, "hex"), given)) {
      source = one.source;
    }
  }
  return source;
}

function hashOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
