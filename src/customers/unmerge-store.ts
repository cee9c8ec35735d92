import { type Clock, ServiceError, type Store, writeTransaction } from "../base/index.ts";
import { normaliseIdentifier } from "../collection/index.ts";
import { openConsentWriter } from "./consent-store.ts";
import { findCustomerId } from "./customer-store.ts";
import { STORED_COLUMNS, type StoredIdentifier } from "./identity-graph.ts";
import type { Identifier } from "./identity-rules.ts";
import { readIdentityRules } from "./identity-rules-store.ts";
import { openIdentity, type Preview } from "./identity-store.ts";
import { openLinks } from "./link-store.ts";

/** A merge or an unmerge, as it was recorded. Instants in epoch milliseconds. */
export interface CustomerChange {
  readonly id: number;
  readonly kind: "merge" | "unmerge";
  /** The customer that remained, and the one that went into it or came out of it. */
  readonly customerId: number;
  readonly otherCustomerId: number;
  /** The two identifiers whose link decided, where one did. */
  readonly link: readonly [Identifier, Identifier] | null;
  readonly reason: string;
  readonly recordedAt: number;
}

/** One side of an unmerge or a join: who it would be, by what, and how much hangs on it. */
export interface Party {
  readonly customerId: number;
  readonly identifiers: readonly Identifier[];
  readonly events: number;
  readonly orders: number;
}

/** What separating or joining two identifiers changes. */
export interface EffectPreview {
  readonly before: readonly Party[];
  readonly after: readonly Party[];
  /** Current audiences with a member among them, by name. */
  readonly audiences: readonly string[];
}

/** What an operator can say of two identifiers. */
export type Verdict = "separate" | "join";

interface ChangeRow {
  readonly id: number;
  readonly kind: "merge" | "unmerge";
  readonly customerId: number;
  readonly otherCustomerId: number;
  readonly lowId: number | null;
  readonly highId: number | null;
  readonly reason: string;
  readonly recordedAt: number;
}

/** Merges and unmerges that a customer had part in, the latest first; of everybody where none is named. */
export function customerChanges(store: Store, customerId?: number, limit = 100): CustomerChange[] {
  const where =
    customerId === undefined ? "" : "WHERE customer_id = @id OR other_customer_id = @id";
  return store.sqlite
    .prepare<[{ id?: number; limit: number }], ChangeRow>(
      `SELECT id, kind, customer_id AS customerId, other_customer_id AS otherCustomerId, low_id AS lowId, high_id AS highId, reason,
              recorded_at AS recordedAt FROM customer_change ${where} ORDER BY id DESC LIMIT @limit`,
    )
    .all(customerId === undefined ? { limit } : { id: customerId, limit })
    .map(({ lowId, highId, ...change }) => ({ ...change, link: linkOf(store, lowId, highId) }));
}

function linkOf(
  store: Store,
  low: number | null,
  high: number | null,
): readonly [Identifier, Identifier] | null {
  const read = store.sqlite.prepare<[number | null], Identifier>(
    "SELECT type, value FROM identifier WHERE id = ?",
  );
  const [one, other] = [read.get(low), read.get(high)];
  return one === undefined || other === undefined ? null : [one, other];
}

/**
 * What would change if two identifiers were told apart (or joined), without changing it. Throws
 * `not-found` for an unknown identifier, `invalid-input` for one and the same or for two that are joined
 * already, `conflict` where a separation keeps apart what should be joined.
 */
export function previewVerdict(
  store: Store,
  verdict: Verdict,
  one: Identifier,
  other: Identifier,
): EffectPreview {
  return preview(store, verdict, storedOf(store, one), storedOf(store, other));
}

/**
 * Tells two identifiers apart for good, also before anything joined them: everything connected is divided
 * again by replaying its links, and each part has the customer id and the history it had. Throws as
 * `previewVerdict` does.
 */
export function separateIdentifiers(
  store: Store,
  clock: Clock,
  one: Identifier,
  other: Identifier,
  reason: string,
): EffectPreview {
  const [a, b] = [storedOf(store, one), storedOf(store, other)];
  return decide(store, clock, "separate", a, b, reason);
}

/** Joins two identifiers' customers on an operator's word, which only a separation outweighs. */
export function joinIdentifiers(
  store: Store,
  clock: Clock,
  one: Identifier,
  other: Identifier,
  reason: string,
): EffectPreview {
  const [a, b] = [storedOf(store, one), storedOf(store, other)];
  return decide(store, clock, "join", a, b, reason);
}

/**
 * The same by identifiers' ids, for pairs that a search proposed: joining what is joined already changes
 * nothing; joining what was separated is a `conflict`, and so is joining two accounts by no person's word.
 */
export function decidePair(
  store: Store,
  clock: Clock,
  verdict: Verdict,
  ids: readonly [number, number],
  { reason, isAutomatic }: { readonly reason: string; readonly isAutomatic: boolean },
): void {
  const [a, b] = ids.map((id) => storedById(store, id));
  const isDone = verdict === "join" && a?.customerId === b?.customerId;
  if (a === undefined || b === undefined || isDone) {
    return;
  }
  if (verdict === "join" && isSeparated(store, pairOf(a, b))) {
    throw new ServiceError("conflict", APART, { field: "identifiers" });
  }
  if (verdict === "join" && isAutomatic && haveAccounts(store, a, b)) {
    throw new ServiceError("conflict", "both have a user id: only a person's word joins them", {
      field: "identifiers",
    });
  }
  decide(store, clock, verdict, a, b, reason);
}

/** Why a verdict says nothing new, if it doesn't. */
function objectionTo(
  store: Store,
  verdict: Verdict,
  a: StoredIdentifier,
  b: StoredIdentifier,
): string | undefined {
  if (a.id === b.id) {
    return "expected two different identifiers";
  }
  const areOne = a.customerId === b.customerId;
  if (verdict === "join") {
    return areOne ? "these two identifiers belong to one customer already" : undefined;
  }
  return !areOne && isSeparated(store, pairOf(a, b))
    ? "these two identifiers are kept apart already"
    : undefined;
}

const APART = "an earlier separation keeps these two customers apart";

function haveAccounts(store: Store, ...both: readonly StoredIdentifier[]): boolean {
  const find = store.sqlite.prepare<[number | null], number>(
    "SELECT 1 FROM identifier WHERE customer_id = ? AND type = 'user_id'",
  );
  return both.every(({ customerId }) => find.get(customerId) !== undefined);
}

function isSeparated(store: Store, [low, high]: readonly [number, number]): boolean {
  const find = store.sqlite.prepare<[number, number], number>(
    "SELECT 1 FROM identifier_separation WHERE low_id = ? AND high_id = ?",
  );
  return find.get(low, high) !== undefined;
}

function preview(
  store: Store,
  verdict: Verdict,
  a: StoredIdentifier,
  b: StoredIdentifier,
): EffectPreview {
  const objection = objectionTo(store, verdict, a, b);
  if (objection !== undefined) {
    throw new ServiceError("invalid-input", objection, { field: "identifiers" });
  }
  const identity = openIdentity(store.sqlite, readIdentityRules(store));
  const isJoin = verdict === "join";
  const result = identity.preview(
    [a.id, b.id],
    isJoin ? [] : [pairOf(a, b)],
    isJoin ? [operatorLink(a, b, a.firstSeenAt)] : [],
    isJoin ? [pairOf(a, b)] : [],
  );
  const customerOf = (id: number): number | undefined =>
    result.partition.belonging.get(id)?.customerId;
  if (isJoin && customerOf(a.id) !== customerOf(b.id)) {
    throw new ServiceError("conflict", APART, { field: "identifiers" });
  }
  return effectOf(store, result);
}

function decide(
  store: Store,
  clock: Clock,
  verdict: Verdict,
  a: StoredIdentifier,
  b: StoredIdentifier,
  reason: string,
): EffectPreview {
  const { sqlite } = store;
  const rules = readIdentityRules(store);
  const [low, high] = pairOf(a, b);
  return writeTransaction(sqlite, () => {
    const effect = preview(store, verdict, a, b);
    if (verdict === "separate") {
      sqlite
        .prepare("INSERT OR REPLACE INTO identifier_separation VALUES (?, ?, ?, ?)")
        .run(low, high, reason, clock.now());
      sqlite
        .prepare(
          "DELETE FROM identifier_link WHERE low_id = ? AND high_id = ? AND origin = 'operator'",
        )
        .run(low, high);
    } else {
      sqlite
        .prepare("DELETE FROM identifier_separation WHERE low_id = ? AND high_id = ?")
        .run(low, high);
      openLinks(sqlite, rules).addOperators(low, high, reason, clock.now());
    }
    const changed = openIdentity(sqlite, rules).divide([a.id, b.id], clock.now());
    openConsentWriter(sqlite).settle(changed);
    return effect;
  });
}

function storedById(store: Store, id: number): StoredIdentifier | undefined {
  return store.sqlite
    .prepare<[number], StoredIdentifier>(`SELECT ${STORED_COLUMNS} FROM identifier WHERE id = ?`)
    .get(id);
}

function storedOf(store: Store, { type, value }: Identifier): StoredIdentifier {
  findCustomerId(store, { type, value });
  const find = store.sqlite.prepare<[string, string], StoredIdentifier>(
    `SELECT ${STORED_COLUMNS} FROM identifier WHERE type = ? AND value = ?`,
  );
  const stored = find.get(type, value) ?? find.get(type, normaliseIdentifier(type, value) ?? "");
  if (stored === undefined) {
    throw new ServiceError("not-found", `no customer has this ${type}`, { field: type });
  }
  return stored;
}

function pairOf(a: StoredIdentifier, b: StoredIdentifier): readonly [number, number] {
  return a.id < b.id ? [a.id, b.id] : [b.id, a.id];
}

function operatorLink(
  a: StoredIdentifier,
  b: StoredIdentifier,
  at: number,
): Preview["links"][number] {
  const [lowId, highId] = pairOf(a, b);
  return { lowId, highId, isOperators: true, occurredAt: at, knownAt: at, reason: "operator" };
}

function effectOf(store: Store, { identifiers, partition }: Preview): EffectPreview {
  const before = partiesBy(store, identifiers, (one) => one.customerId ?? one.id);
  const after = partiesBy(
    store,
    identifiers,
    (one) => partition.belonging.get(one.id)?.customerId ?? one.id,
  );
  const key = (party: Party): string => JSON.stringify([party.customerId, party.identifiers]);
  const same = new Set(before.map(key).filter((text) => after.map(key).includes(text)));
  const changed = before.filter((party) => !same.has(key(party)));
  return {
    before: changed,
    after: after.filter((party) => !same.has(key(party))),
    audiences: audiencesOf(
      store,
      changed.map((party) => party.customerId),
    ),
  };
}

function partiesBy(
  store: Store,
  identifiers: readonly StoredIdentifier[],
  customerOf: (identifier: StoredIdentifier) => number,
): Party[] {
  const activity = store.sqlite
    .prepare<[number], number>(
      "SELECT coalesce(sum(event_count), 0) FROM identifier_activity WHERE identifier_id = ?",
    )
    .pluck();
  const orders = store.sqlite
    .prepare<[number], number>(
      "SELECT count(*) FROM order_summary WHERE identifier_id = ? AND line_count > 0",
    )
    .pluck();
  const groups = new Map<number, StoredIdentifier[]>();
  for (const identifier of identifiers) {
    const customer = customerOf(identifier);
    groups.set(customer, [...(groups.get(customer) ?? []), identifier]);
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([customerId, members]) => ({
      customerId,
      identifiers: members.map(({ type, value }) => ({ type, value })),
      events: members.reduce((sum, one) => sum + (activity.get(one.id) ?? 0), 0),
      orders: members.reduce((sum, one) => sum + (orders.get(one.id) ?? 0), 0),
    }));
}

function audiencesOf(store: Store, customers: readonly number[]): string[] {
  return store.sqlite
    .prepare<[string], string>(
      `SELECT DISTINCT a.name FROM audience a JOIN audience_member m ON m.name = a.name AND m.version = a.version
       WHERE a.is_current = 1 AND m.customer_id IN (SELECT value FROM json_each(?)) ORDER BY 1`,
    )
    .pluck()
    .all(JSON.stringify(customers));
}
