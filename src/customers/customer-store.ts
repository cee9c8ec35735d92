import { nearest, ServiceError, type Store, statementOf } from "../base/index.ts";
import {
  compareIdentifierTypes,
  IDENTIFIER_TYPES,
  normaliseIdentifier,
} from "../collection/index.ts";
import type { Consent } from "./consent-store.ts";
import type { Identifier } from "./identity-rules.ts";
import { mayBeAddressedSql } from "./purposes-store.ts";

/** Somebody who clears cookies at every visit has many. */
const IDS_MAX = 20;

/** A customer as known so far. Instants in epoch milliseconds. */
export interface Customer {
  readonly id: number;
  readonly firstSeenAt: number;
  readonly identifiers: readonly Identifier[];
  readonly consents: readonly Consent[];
}

/** How many customers there are. */
export function countCustomers(store: Store): number {
  return (
    store.sqlite
      .prepare<[], number>("SELECT count(*) FROM customer WHERE merged_into IS NULL")
      .pluck()
      .get() ?? 0
  );
}

/**
 * Looks up the customer behind an identifier, through a statement that is prepared once; undefined where
 * there is none. The identifier may be written as people write it (an e-mail address in capitals).
 */
export function openCustomerIds(store: Store): (identifier: Identifier) => number | undefined {
  const find = statementOf<[string, string], number | null>(
    store.sqlite,
    "SELECT customer_id FROM identifier WHERE type = ? AND value = ?",
  ).pluck();
  return ({ type, value }) =>
    find.get(type, value) ?? find.get(type, normaliseIdentifier(type, value) ?? "") ?? undefined;
}

/**
 * The id of the customer behind an identifier, as `openCustomerIds` finds it. Throws `not-found` where
 * there is none, or no such type of identifier.
 */
export function findCustomerId(store: Store, identifier: Identifier): number {
  const { type } = identifier;
  const id = openCustomerIds(store)(identifier);
  if (id === undefined) {
    refuseUnknownType(store, type);
    const advice = type === "phone" ? "; write numbers with their country, as in +31612345678" : "";
    throw new ServiceError("not-found", `no customer has this ${type}${advice}`, { field: type });
  }
  return id;
}

function refuseUnknownType(store: Store, type: string): void {
  const known = statementOf<[string], number>(
    store.sqlite,
    "SELECT 1 FROM identifier WHERE type = ? LIMIT 1",
  ).pluck();
  if (!(IDENTIFIER_TYPES as readonly string[]).includes(type) && known.get(type) === undefined) {
    throw new ServiceError(
      "not-found",
      `there is no identifier type "${type}"; nearest: ${nearest(type, IDENTIFIER_TYPES).join(", ")}`,
      { field: "type" },
    );
  }
}

/** The customer behind an identifier. Throws `not-found` where there is none. */
export function findCustomer(store: Store, identifier: Identifier): Customer {
  return readCustomer(store, findCustomerId(store, identifier));
}

/** A page of customers in order of id, those after `after` (exclusive). */
export function listCustomers(store: Store, after: number, limit: number): Customer[] {
  return store.sqlite
    .prepare<[number, number], number>(
      "SELECT id FROM customer WHERE id > ? AND merged_into IS NULL ORDER BY id LIMIT ?",
    )
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
  return { id, firstSeenAt: firstSeenAt ?? 0, identifiers, consents: consentsOf(store, id) };
}

/** What a customer agreed to, by purpose. */
export function consentsOf(store: Store, customerId: number): Consent[] {
  return store.sqlite
    .prepare<[number], Consent>(
      "SELECT purpose, status, source, basis, jurisdiction, recorded_at AS recordedAt FROM consent WHERE customer_id = ? ORDER BY purpose",
    )
    .all(customerId);
}

/**
 * Tells which customer a number stands for now: itself, the one it was merged into, or undefined where there
 * is none.
 */
export function openCustomerNumbers(store: Store): (id: number) => number | undefined {
  const find = store.sqlite
    .prepare<[number], number>(
      `WITH RECURSIVE step (id, into_id) AS (
         SELECT id, merged_into FROM customer WHERE id = ?
         UNION SELECT c.id, c.merged_into FROM step s JOIN customer c ON c.id = s.into_id)
       SELECT id FROM step WHERE into_id IS NULL`,
    )
    .pluck();
  return (id) => find.get(id);
}

/** The types of identifiers that this store may know customers by, the strongest first. */
export function identifierTypes(store: Store): string[] {
  const seen = store.sqlite
    .prepare<[], string>("SELECT DISTINCT type FROM identifier")
    .pluck()
    .all();
  return [...new Set([...IDENTIFIER_TYPES, ...seen])].sort(compareIdentifierTypes);
}

/** The customers of whom more is known than an anonymous id. */
export function knownCustomerNumbers(store: Store): ReadonlySet<number> {
  return new Set(
    store.sqlite
      .prepare<[], number>(
        "SELECT DISTINCT customer_id FROM identifier WHERE customer_id IS NOT NULL AND type <> 'anonymous_id'",
      )
      .pluck()
      .all(),
  );
}

/**
 * Finds whose an identifier is, by its number, whether that person may be addressed for a purpose (unknown is no), and by which user
 * ids, then anonymous ids, a shop's pages know the person: of each the latest first, at most 20 together.
 */
export function openOwners(store: Store): {
  ownerOf(identifierId: number): number | undefined;
  mayBeAddressed(customerId: number, purpose: string): boolean;
  idsOf(customerId: number): Identifier[];
} {
  const owner = store.sqlite
    .prepare<[number], number | null>("SELECT customer_id FROM identifier WHERE id = ?")
    .pluck();
  const granted = store.sqlite
    .prepare<{ id: number; purpose: string }, number>(
      `SELECT 1 WHERE ${mayBeAddressedSql("@id", "@purpose")}`,
    )
    .pluck();
  const ids = store.sqlite.prepare<[number], Identifier>(
    `SELECT type, value FROM identifier WHERE customer_id = ? AND type IN ('user_id', 'anonymous_id')
     ORDER BY type DESC, first_seen_at DESC, id DESC LIMIT ${IDS_MAX}`,
  );
  return {
    idsOf: (customerId) => ids.all(customerId),
    ownerOf: (identifierId) => owner.get(identifierId) ?? undefined,
    mayBeAddressed: (id, purpose) => granted.get({ id, purpose }) !== undefined,
  };
}
