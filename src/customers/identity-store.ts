import type { Sqlite } from "../base/index.ts";
import {
  type Belonging,
  type GraphLink,
  type Partition,
  partition,
  STORED_COLUMNS,
  type StoredIdentifier,
} from "./identity-graph.ts";
import {
  compareIdentifiers,
  type Identifier,
  type IdentityRules,
  identifierKey,
} from "./identity-rules.ts";
import { openLinks } from "./link-store.ts";
import type { SeenIdentifier, SeenLink } from "./observation.ts";
import { openTrust } from "./trust-store.ts";

/** What joining did. */
export interface Joined {
  /** Customers whose identifiers changed, for what hangs on customers. */
  readonly changed: ReadonlySet<number>;
  /** Identifiers (by `identifierKey`) that belong to somebody, as before; others have to be looked up. */
  readonly active: ReadonlyMap<string, number>;
}

/** The identity graph in SQLite, through statements that are prepared once. Call inside a transaction. */
export interface Identity {
  find(identifier: Identifier): StoredIdentifier | undefined;
  /** Stores what was seen, and joins what it links. */
  observe(identifiers: readonly SeenIdentifier[], links: readonly SeenLink[], now: number): Joined;
  /** Divides again everything connected with these identifiers. */
  divide(ids: Iterable<number>, now: number): ReadonlySet<number>;
  /** The same without storing it: who would be who. */
  preview(
    ids: readonly number[],
    separations: readonly (readonly [number, number])[],
    links: readonly GraphLink[],
    liftedSeparations: readonly (readonly [number, number])[],
  ): Preview;
}

/** Who is who among everything connected, before and after. */
export interface Preview {
  readonly identifiers: readonly StoredIdentifier[];
  readonly links: readonly GraphLink[];
  readonly partition: Partition;
}

/** The identity graph of a store under its rules. */
export function openIdentity(sqlite: Sqlite, rules: IdentityRules): Identity {
  const find = sqlite.prepare<[string, string], StoredIdentifier>(
    `SELECT ${STORED_COLUMNS} FROM identifier WHERE type = ? AND value = ?`,
  );
  const add = sqlite.prepare<[string, string, string, number]>(
    "INSERT INTO identifier (type, value, source, first_seen_at) VALUES (?, ?, ?, ?)",
  );
  const seenEarlier = sqlite.prepare(
    "UPDATE identifier SET first_seen_at = ?, source = ? WHERE id = ?",
  );
  const customerSeenEarlier = sqlite.prepare(
    "UPDATE customer SET first_seen_at = min(first_seen_at, ?) WHERE id = ?",
  );
  const trust = openTrust(sqlite);
  const version = sqlite.prepare(
    "UPDATE resolve_position SET identity_version = identity_version + 1",
  );
  const links = openLinks(sqlite, rules);
  const changes = openChanges(sqlite);

  const store = (
    seen: SeenIdentifier,
    touched: Set<number>,
    active: Map<string, number>,
  ): number => {
    const { type, value, source, firstSeenAt } = seen;
    const known = find.get(type, value);
    if (known === undefined) {
      const id = Number(add.run(type, value, source, firstSeenAt).lastInsertRowid);
      touched.add(id);
      return id;
    }
    if (firstSeenAt < known.firstSeenAt) {
      seenEarlier.run(firstSeenAt, source, known.id);
      customerSeenEarlier.run(firstSeenAt, known.customerId);
      touched.add(known.id);
    } else if (known.status === "active") {
      active.set(identifierKey(seen), known.id);
    }
    return known.id;
  };

  const divide = (ids: Iterable<number>, now: number): Set<number> => {
    const changed = new Set<number>();
    const asked = [...ids];
    const identifiers = new Map<number, StoredIdentifier>();
    const belonging = new Map<number, Belonging>();
    const accepted: GraphLink[] = [];
    for (const id of asked) {
      if (!identifiers.has(id)) {
        const component = links.component(id);
        const divided = partition(
          component.identifiers,
          component.links,
          component.separations,
          rules,
        );
        for (const identifier of component.identifiers) {
          identifiers.set(identifier.id, identifier);
        }
        for (const [member, to] of divided.belonging) {
          belonging.set(member, to);
        }
        accepted.push(...divided.accepted);
      }
    }
    changes.store([...identifiers.values()], { belonging, accepted }, now, changed);
    changes.retire([...changed, ...asked]);
    if (changed.size > 0) {
      version.run();
    }
    return changed;
  };

  return {
    find: ({ type, value }) => find.get(type, value),
    divide,
    preview: (ids, separations, moreLinks, lifted) => {
      const components = ids.map((id) => links.component(id));
      const identifiers = [
        ...new Map(
          components.flatMap((one) => one.identifiers).map((one) => [one.id, one]),
        ).values(),
      ];
      const linked = new Map(
        [...components.flatMap((one) => one.links), ...moreLinks].map((one) => [
          `${one.lowId}-${one.highId}`,
          one,
        ]),
      );
      const all = [...linked.values()];
      const apart = [...components.flatMap((one) => one.separations), ...separations].filter(
        (pair) => !lifted.some(([low, high]) => pair[0] === low && pair[1] === high),
      );
      return { identifiers, links: all, partition: partition(identifiers, all, apart, rules) };
    },
    observe: (identifiers, seenLinks, now) => {
      const touched = new Set<number>();
      const idOf = new Map<string, number>();
      const active = new Map<string, number>();
      const newlyTrusted: number[] = [];
      for (const seen of [...identifiers].sort(bySight)) {
        const id = store(seen, touched, active);
        idOf.set(identifierKey(seen), id);
        if (seen.isTrusted && trust.isNew(id)) {
          newlyTrusted.push(id);
        }
      }
      const resolved = seenLinks.flatMap((link) => {
        const from = idOf.get(identifierKey(link.from));
        const to = idOf.get(identifierKey(link.to));
        return from === undefined || to === undefined || from === to ? [] : [{ link, from, to }];
      });
      for (const { link, from, to } of resolved) {
        for (const id of links.add(link, from, to)) {
          touched.add(id);
        }
      }
      for (const [key, id] of active) {
        if (touched.has(id)) {
          active.delete(key);
        }
      }
      const changed = divide(touched, now);
      trust.addCustomers(newlyTrusted, changed);
      return { changed, active };
    },
  };
}

/** Stronger types first, so that people get the low numbers; then in order of first sight. */
function bySight(a: SeenIdentifier, b: SeenIdentifier): number {
  return a.type === b.type
    ? a.firstSeenAt - b.firstSeenAt || compareIdentifiers(a, b)
    : compareIdentifiers({ type: a.type, value: "" }, { type: b.type, value: "" });
}

interface Changes {
  store(
    identifiers: readonly StoredIdentifier[],
    divided: Partition,
    now: number,
    changed: Set<number>,
  ): void;
  /** Marks customers that have no identifier any more. */
  retire(customers: Iterable<number>): void;
}

/** Writes a division: who belongs to whom, which customers there are, and what merged or was divided why. */
function openChanges(sqlite: Sqlite): Changes {
  const addCustomer = sqlite.prepare(
    `INSERT INTO customer (id, first_seen_at) VALUES (?, ?)
     ON CONFLICT (id) DO UPDATE SET first_seen_at = excluded.first_seen_at, merged_into = NULL`,
  );
  const mergeCustomer = sqlite.prepare("UPDATE customer SET merged_into = ? WHERE id = ?");
  const assign = sqlite.prepare(
    "UPDATE identifier SET customer_id = ?, linked_at = ?, status = 'active' WHERE id = ?",
  );
  const log = sqlite.prepare("INSERT INTO customer_change VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)");

  const retire = sqlite.prepare(
    "UPDATE customer SET merged_into = id WHERE id = ? AND merged_into IS NULL AND NOT EXISTS (SELECT 1 FROM identifier WHERE customer_id = customer.id)",
  );

  const move = (
    identifiers: readonly StoredIdentifier[],
    moved: readonly StoredIdentifier[],
    divided: Partition,
    changed: Set<number>,
  ): void => {
    for (const one of moved) {
      changed.add(divided.belonging.get(one.id)?.customerId ?? one.id);
      if (one.customerId !== null) {
        changed.add(one.customerId);
      }
    }
    for (const [customer, firstSeenAt] of firstSights(identifiers, divided)) {
      if (changed.has(customer)) {
        addCustomer.run(customer, firstSeenAt);
      }
    }
    for (const one of moved) {
      const to = divided.belonging.get(one.id);
      assign.run(to?.customerId ?? one.id, to?.linkedAt ?? 0, one.id);
    }
  };

  const note = (change: Change, now: number): void => {
    const { kind, customerId, otherCustomerId, link, reason } = change;
    if (kind === "merge") {
      mergeCustomer.run(customerId, otherCustomerId);
    }
    log.run(
      kind,
      customerId,
      otherCustomerId,
      link?.lowId ?? null,
      link?.highId ?? null,
      reason,
      now,
    );
  };

  return {
    retire: (customers) => {
      for (const id of customers) {
        retire.run(id);
      }
    },
    store: (identifiers, divided, now, changed) => {
      const moved = identifiers.filter((one) => isMoved(one, divided.belonging.get(one.id)));
      if (moved.length > 0) {
        move(identifiers, moved, divided, changed);
        for (const change of changesOf(identifiers, divided)) {
          note(change, now);
        }
      }
    },
  };
}

function firstSights(
  identifiers: readonly StoredIdentifier[],
  divided: Partition,
): Map<number, number> {
  const first = new Map<number, number>();
  for (const one of identifiers) {
    const customer = divided.belonging.get(one.id)?.customerId ?? one.id;
    first.set(customer, Math.min(first.get(customer) ?? Infinity, one.firstSeenAt));
  }
  return first;
}

function isMoved(one: StoredIdentifier, to: Belonging | undefined): boolean {
  return to !== undefined && (one.customerId !== to.customerId || one.linkedAt !== to.linkedAt);
}

interface Change {
  readonly kind: "merge" | "unmerge";
  readonly customerId: number;
  readonly otherCustomerId: number;
  readonly link: GraphLink | undefined;
  readonly reason: string;
}

/** Customers that are no more went into another; customers that are new came out of one. */
function changesOf(identifiers: readonly StoredIdentifier[], divided: Partition): Change[] {
  const before = new Map(identifiers.map((one) => [one.id, one.customerId]));
  const after = (id: number): number => divided.belonging.get(id)?.customerId ?? id;
  const old = new Map<number, number>();
  for (const [id, customer] of before) {
    if (customer !== null && !old.has(customer)) {
      old.set(customer, after(id));
    }
  }
  const current = new Set([...divided.belonging.values()].map((one) => one.customerId));
  const gone = [...old].filter(([id]) => !current.has(id));
  const merges = gone.map(([id, into]): Change => {
    const link = divided.accepted.find(
      ({ lowId, highId }) => (before.get(lowId) === id) !== (before.get(highId) === id),
    );
    const reason = link?.reason ?? "its identifier is shared by many";
    return { kind: "merge", customerId: into, otherCustomerId: id, link, reason };
  });
  const moves = [...current].flatMap((id) => {
    const from = before.get(id) ?? null;
    return from === null || old.has(id) || !current.has(from) ? [] : [{ id, from }];
  });
  const divisions = moves.map(
    ({ id, from }): Change => ({
      kind: "unmerge",
      customerId: from,
      otherCustomerId: id,
      link: undefined,
      reason: "no longer connected",
    }),
  );
  return [...merges, ...divisions];
}
