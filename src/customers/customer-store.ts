import { join } from "node:path";
import {
  type Clock,
  type DuckDb,
  literal,
  removeStrays,
  ServiceError,
  type Sqlite,
  type Store,
} from "../base/index.ts";
import {
  historyFiles,
  historySql,
  markResolved,
  parseMapping,
  sourceMappings,
} from "../collection/index.ts";

/** The identifiers a person can be found by. */
export const IDENTIFIER_TYPES = ["user_id", "anonymous_id"] as const;
export type IdentifierType = (typeof IDENTIFIER_TYPES)[number];

export interface Identifier {
  readonly type: IdentifierType;
  readonly value: string;
}

/** A customer as known so far. Instants in epoch milliseconds. */
export interface Customer {
  readonly id: number;
  readonly firstSeenAt: number;
  readonly identifiers: readonly Identifier[];
  readonly consents: readonly Consent[];
}

export interface Consent {
  readonly purpose: string;
  readonly status: "granted" | "denied";
  readonly source: string;
  readonly basis: string;
  readonly recordedAt: number;
}

/** What a resolution did. */
export interface Resolution {
  readonly newCustomers: number;
  readonly newIdentifiers: number;
  readonly customers: number;
}

/**
 * Gives every identifier of the history a customer. An event belongs to its user id, else to its
 * anonymous id; an anonymous id first seen together with a user id is that user's. A known
 * identifier never changes its customer here, and customers are numbered in order of first sight, so
 * the same history always gives the same ids. Events are not touched: the map is what grows, and a
 * snapshot of it lies beside the history for batch jobs to join.
 */
export async function resolveCustomers(store: Store, clock: Clock): Promise<Resolution> {
  const files = historyFiles(store, "unresolved");
  const before = countCustomers(store);
  const duckdb = await store.openDuckDb();
  try {
    const seen = await duckdb.rows(
      `WITH line AS (SELECT source, user_id, anonymous_id, occurred_at_ms, known_at_ms FROM ${historySql(store, files)}),
       visitor AS (
         SELECT anonymous_id, min_by(user_id, occurred_at_ms) AS user_id, min_by(source, occurred_at_ms) AS source,
                min(occurred_at_ms) AS first_seen_at,
                coalesce(min(CASE WHEN user_id IS NOT NULL THEN known_at_ms END), 0) AS linked_at
         FROM line WHERE anonymous_id IS NOT NULL GROUP BY 1)
       SELECT 'user_id' AS type, user_id AS value, CAST(NULL AS VARCHAR) AS user_id,
              min_by(source, occurred_at_ms) AS source, min(occurred_at_ms) AS first_seen_at, 0 AS linked_at
       FROM line WHERE user_id IS NOT NULL GROUP BY 2
       UNION ALL
       SELECT 'anonymous_id', anonymous_id, user_id, source, first_seen_at, linked_at FROM visitor
       ORDER BY type DESC, first_seen_at, value`,
    );
    const newIdentifiers = store.sqlite.transaction(() => {
      const added = addIdentifiers(store.sqlite, seen as unknown as readonly SeenIdentifier[]);
      markResolved(store, files);
      return added;
    })();
    recordStatedConsent(store, clock.now());
    await writeSnapshot(store, clock, duckdb);
    const customers = countCustomers(store);
    return { newCustomers: customers - before, newIdentifiers, customers };
  } finally {
    duckdb.close();
  }
}

interface SeenIdentifier {
  readonly type: IdentifierType;
  readonly value: string;
  readonly user_id: string | null;
  readonly source: string;
  readonly first_seen_at: number;
  /** When a visitor's user became known, epoch ms; 0 for one that never needed it. */
  readonly linked_at: number;
}

function addIdentifiers(sqlite: Sqlite, seen: readonly SeenIdentifier[]): number {
  const find = sqlite
    .prepare<[string, string], number>(
      "SELECT customer_id FROM identifier WHERE type = ? AND value = ?",
    )
    .pluck();
  const addCustomer = sqlite.prepare("INSERT INTO customer (first_seen_at) VALUES (?)");
  const addIdentifier = sqlite.prepare(
    "INSERT INTO identifier (type, value, customer_id, source, first_seen_at, linked_at) VALUES (?, ?, ?, ?, ?, ?)",
  );
  let added = 0;
  for (const one of seen) {
    if (find.get(one.type, one.value) === undefined) {
      const known = one.user_id === null ? undefined : find.get("user_id", one.user_id);
      const customer = known ?? Number(addCustomer.run(one.first_seen_at).lastInsertRowid);
      addIdentifier.run(
        one.type,
        one.value,
        customer,
        one.source,
        one.first_seen_at,
        one.linked_at,
      );
      added++;
    }
  }
  return added;
}

/** Records what a source's operator states its people agreed to; a recorded answer is never loosened. */
function recordStatedConsent(store: Store, now: number): void {
  const insert = store.sqlite.prepare(
    `INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at) SELECT DISTINCT customer_id, ?, 'granted', source, ?, ? FROM identifier WHERE source = ?
     ON CONFLICT (customer_id, purpose) DO NOTHING`,
  );
  store.sqlite.transaction(() => {
    for (const [source, json] of sourceMappings(store)) {
      const consent = parseMapping(JSON.parse(json)).consent;
      for (const purpose of consent?.purposes ?? []) {
        insert.run(purpose, consent?.basis, now, source);
      }
    }
  })();
}

/** Writes the map beside the history, unless the latest snapshot already holds all of it. */
async function writeSnapshot(store: Store, clock: Clock, duckdb: DuckDb): Promise<void> {
  const rows = store.sqlite
    .prepare<[], [string, string, number, number]>(
      "SELECT type, value, customer_id, linked_at FROM identifier ORDER BY 1, 2",
    )
    .raw()
    .all();
  const latest = store.sqlite
    .prepare<[], { generation: number; count: number }>(
      "SELECT generation, identifier_count AS count FROM identity_snapshot ORDER BY generation DESC LIMIT 1",
    )
    .get();
  if ((latest?.count ?? 0) === rows.length) {
    return;
  }
  const generation = (latest?.generation ?? 0) + 1;
  const file = `identity-${String(generation).padStart(6, "0")}.parquet`;
  await duckdb.run(
    "CREATE TEMP TABLE identity (type VARCHAR, value VARCHAR, customer_id DOUBLE, linked_at_ms DOUBLE)",
  );
  await duckdb.append("identity", rows);
  await duckdb.run(
    `COPY (SELECT type, value, CAST(customer_id AS INTEGER) AS customer_id, CAST(linked_at_ms AS BIGINT) AS linked_at_ms FROM identity ORDER BY 1, 2)
     TO ${literal(join(store.path("customers"), file))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  store.sqlite
    .prepare("INSERT INTO identity_snapshot VALUES (?, ?, ?, ?)")
    .run(generation, file, rows.length, clock.now());
  removeStrays(
    store.path("customers"),
    (name) => name >= `identity-${String(generation - 1).padStart(6, "0")}`,
  );
}

/**
 * The map from identifier to customer as a DuckDB table expression: type, value, customer_id, and
 * linked_at_ms, before which nobody knew that this visitor was that customer.
 */
export function identitySql(store: Store): string {
  const file = store.sqlite
    .prepare<[], string>("SELECT file FROM identity_snapshot ORDER BY generation DESC LIMIT 1")
    .pluck()
    .get();
  return file === undefined
    ? "(SELECT NULL::VARCHAR AS type, NULL::VARCHAR AS value, NULL::INTEGER AS customer_id, NULL::BIGINT AS linked_at_ms WHERE 1 = 0)"
    : `read_parquet(${literal(join(store.path("customers"), file))})`;
}

/** How many customers there are. */
export function countCustomers(store: Store): number {
  return store.sqlite.prepare<[], number>("SELECT count(*) FROM customer").pluck().get() ?? 0;
}

/** The customer behind an identifier. Throws `not-found` where there is none. */
export function findCustomer(store: Store, identifier: Identifier): Customer {
  const id = store.sqlite
    .prepare<[string, string], number>(
      "SELECT customer_id FROM identifier WHERE type = ? AND value = ?",
    )
    .pluck()
    .get(identifier.type, identifier.value);
  if (id === undefined) {
    throw new ServiceError("not-found", `no customer has this ${identifier.type}`, {
      field: identifier.type,
    });
  }
  return readCustomer(store, id);
}

/** A page of customers in order of id, those after `after` (exclusive). */
export function listCustomers(store: Store, after: number, limit: number): Customer[] {
  return store.sqlite
    .prepare<[number, number], number>("SELECT id FROM customer WHERE id > ? ORDER BY id LIMIT ?")
    .pluck()
    .all(after, limit)
    .map((id) => readCustomer(store, id));
}

function readCustomer(store: Store, id: number): Customer {
  const firstSeenAt = store.sqlite
    .prepare<[number], number>("SELECT first_seen_at FROM customer WHERE id = ?")
    .pluck()
    .get(id);
  const identifiers = store.sqlite
    .prepare<[number], Identifier>(
      "SELECT type, value FROM identifier WHERE customer_id = ? ORDER BY type DESC, first_seen_at",
    )
    .all(id);
  const consents = store.sqlite
    .prepare<[number], Consent>(
      "SELECT purpose, status, source, basis, recorded_at AS recordedAt FROM consent WHERE customer_id = ? ORDER BY purpose",
    )
    .all(id);
  return { id, firstSeenAt: firstSeenAt ?? 0, identifiers, consents };
}
