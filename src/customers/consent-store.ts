import { type Sqlite, type Store, type Turns, writeTurns, writeWhenFree } from "../base/index.ts";
import { parseMapping, sourceMappings } from "../collection/index.ts";
import {
  type ConsentStatement,
  currentStatement,
  type HeldStatement,
  mergeRepeated,
} from "./consent.ts";

/** What a customer agreed to, for one purpose. `recordedAt` is when it was said, in epoch milliseconds. */
export interface Consent {
  readonly purpose: string;
  readonly status: "granted" | "denied";
  readonly source: string;
  readonly basis: string;
  readonly jurisdiction: string | null;
  readonly recordedAt: number;
}

/** Writes statements and what follows from them. Call inside a transaction. */
export interface ConsentWriter {
  /** Returns whether it is news: what counts for its customer may change. */
  add(statement: ConsentStatement): boolean;
  /** Works out what counts for these customers. */
  settle(customers: Iterable<number>): void;
}

const COLUMNS =
  "s.identifier_id AS identifierId, s.purpose, s.stated_at AS statedAt, s.arrived_at AS arrivedAt, s.source, s.status, s.is_repeated = 1 AS isRepeated, s.is_claim = 1 AS isClaim, s.basis, s.jurisdiction, s.known_at AS knownAt";

const STATED_FROM =
  "FROM identifier i JOIN identifier_activity a ON a.identifier_id = i.id JOIN stated_consent t ON t.source = a.source";

/** Anybody can come to a source with its public key: that grants nothing for a person who is known from elsewhere. */
const MAY_COUNT = `(a.trusted_count > 0 OR NOT EXISTS (
  SELECT 1 FROM identifier k WHERE k.customer_id = i.customer_id AND k.is_trusted = 1))`;

/** The writer of a store's consents. */
export function openConsentWriter(sqlite: Sqlite): ConsentWriter {
  const insert = sqlite.prepare(
    `INSERT INTO consent_statement (identifier_id, purpose, source, status, is_repeated, is_claim, stated_at, arrived_at, basis, jurisdiction, known_at)
     VALUES (@identifierId, @purpose, @source, @status, @isRepeated, @isClaim, @statedAt, @arrivedAt, @basis, @jurisdiction, @knownAt)
     ON CONFLICT DO NOTHING`,
  );
  const isSame =
    "identifier_id = ? AND purpose = ? AND source = ? AND status = ? AND is_repeated = 1 AND is_claim = ?";
  const repeated = sqlite.prepare<
    [number, string, string, string, number],
    Pick<ConsentStatement, "statedAt" | "arrivedAt">
  >(`SELECT stated_at AS statedAt, arrived_at AS arrivedAt FROM consent_statement WHERE ${isSame}`);
  const forget = sqlite.prepare(`DELETE FROM consent_statement WHERE ${isSame}`);
  const isTrusted = sqlite
    .prepare<[number], number>(
      "SELECT EXISTS (SELECT 1 FROM identifier WHERE customer_id = ? AND is_trusted = 1)",
    )
    .pluck();
  const held = sqlite.prepare<[number], HeldStatement>(
    `SELECT ${COLUMNS}, i.linked_at AS linkedAt FROM identifier i JOIN consent_statement s ON s.identifier_id = i.id
     WHERE i.customer_id = ?`,
  );
  const clear = sqlite.prepare("DELETE FROM consent WHERE customer_id = ?");
  const store = sqlite.prepare(
    `INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at, jurisdiction, origin)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'person')`,
  );
  const isNothingSaid = sqlite
    .prepare<[], number>(
      `SELECT NOT EXISTS (SELECT 1 FROM consent_statement) AND NOT EXISTS (SELECT 1 FROM stated_consent)
         AND NOT EXISTS (SELECT 1 FROM consent)`,
    )
    .pluck();
  const stated = openStated(sqlite);
  return {
    add: (statement) => {
      const { identifierId, purpose, source, status, isRepeated } = statement;
      const isClaim = statement.isClaim ? 1 : 0;
      let kept = statement;
      if (isRepeated) {
        const known = repeated.get(identifierId, purpose, source, status, isClaim);
        if (known !== undefined) {
          kept = { ...statement, ...mergeRepeated(known, statement) };
          if (kept.statedAt === known.statedAt && kept.arrivedAt === known.arrivedAt) {
            return false;
          }
          forget.run(identifierId, purpose, source, status, isClaim);
        }
      }
      return insert.run({ ...kept, isRepeated: isRepeated ? 1 : 0, isClaim }).changes > 0;
    },
    settle: (customers) => {
      if (isNothingSaid.get() === 1) {
        return;
      }
      const isStated = stated.isAny();
      for (const customer of customers) {
        clear.run(customer);
        const said = held.all(customer);
        const isKnown = said.some((one) => one.isClaim) && isTrusted.get(customer) === 1;
        for (const [purpose, statements] of byPurpose(said)) {
          const current = currentStatement(statements, isKnown);
          if (current !== undefined) {
            const { status, source, basis, statedAt, jurisdiction } = current;
            store.run(customer, purpose, status, source, basis, statedAt, jurisdiction);
          }
        }
        if (isStated) {
          stated.settle(customer);
        }
      }
    },
  };
}

function byPurpose(statements: readonly HeldStatement[]): Map<string, HeldStatement[]> {
  const grouped = new Map<string, HeldStatement[]>();
  for (const statement of statements) {
    const same = grouped.get(statement.purpose);
    if (same === undefined) {
      grouped.set(statement.purpose, [statement]);
    } else {
      same.push(statement);
    }
  }
  return grouped;
}

interface Stated {
  isAny(): boolean;
  settle(customer: number): void;
}

/** What operators state for everybody of a source, where the person has said nothing. */
function openStated(sqlite: Sqlite): Stated {
  const insert = sqlite.prepare(
    `INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at, jurisdiction, origin)
     SELECT DISTINCT i.customer_id, t.purpose, 'granted', t.source, t.basis, t.stated_at, t.jurisdiction, 'operator'
     ${STATED_FROM}
     WHERE i.customer_id = ? AND ${MAY_COUNT} ORDER BY t.stated_at ON CONFLICT (customer_id, purpose) DO NOTHING`,
  );
  const any = sqlite.prepare<[], number>("SELECT EXISTS (SELECT 1 FROM stated_consent)").pluck();
  return {
    isAny: () => any.get() === 1,
    settle: (customer) => void insert.run(customer),
  };
}

/**
 * Takes over what the sources' mappings state of consent, and where it changed works out again what
 * counts for every customer, in turns. Interrupted, the next call goes on.
 */
export async function recordStatedConsent(store: Store, now: number, turns?: Turns): Promise<void> {
  const { sqlite } = store;
  const wanted = [...sourceMappings(store)].flatMap(([source, json]) => {
    const { consent } = parseMapping(JSON.parse(json));
    return (consent?.purposes ?? []).map((purpose) => ({
      source,
      purpose,
      basis: consent?.basis ?? "",
    }));
  });
  const key = (one: { source: string; purpose: string; basis: string }): string =>
    [one.source, one.purpose, one.basis].join("\n");
  const known = new Map(
    sqlite
      .prepare<[], { source: string; purpose: string; basis: string; statedAt: number }>(
        "SELECT source, purpose, basis, stated_at AS statedAt FROM stated_consent",
      )
      .all()
      .map((one) => [key(one), one.statedAt]),
  );
  if (known.size !== wanted.length || !wanted.every((one) => known.has(key(one)))) {
    await writeWhenFree(sqlite, () => {
      sqlite.prepare("DELETE FROM stated_consent").run();
      const insert = sqlite.prepare("INSERT INTO stated_consent VALUES (?, ?, ?, NULL, ?)");
      for (const one of wanted) {
        insert.run(one.source, one.purpose, one.basis, known.get(key(one)) ?? now);
      }
      sqlite.prepare("INSERT OR REPLACE INTO consent_renewal VALUES (1, 0)").run();
    });
  }
  await renewStated(store, turns);
}

const CUSTOMERS_PER_STEP = 50;

/** Brings what operators state to the customers who have not heard of it yet. */
async function renewStated(store: Store, turns: Turns | undefined): Promise<void> {
  const { sqlite } = store;
  const position = sqlite.prepare<[], number>("SELECT position FROM consent_renewal").pluck();
  const last = sqlite
    .prepare<[number], number | null>(
      `SELECT max(id) FROM (SELECT id FROM customer WHERE id > ? ORDER BY id LIMIT ${CUSTOMERS_PER_STEP})`,
    )
    .pluck();
  const clear = sqlite.prepare(
    "DELETE FROM consent WHERE origin = 'operator' AND customer_id > ? AND customer_id <= ?",
  );
  const insert = sqlite.prepare(
    `INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at, jurisdiction, origin)
     SELECT DISTINCT i.customer_id, t.purpose, 'granted', t.source, t.basis, t.stated_at, t.jurisdiction, 'operator'
     ${STATED_FROM}
     WHERE i.customer_id > ? AND i.customer_id <= ? AND ${MAY_COUNT} ORDER BY t.stated_at ON CONFLICT (customer_id, purpose) DO NOTHING`,
  );
  const advance = sqlite.prepare("UPDATE consent_renewal SET position = ?");
  const step = (): boolean => {
    const after = position.get() ?? 0;
    const through = last.get(after) ?? null;
    if (through === null) {
      sqlite.prepare("DELETE FROM consent_renewal").run();
      return false;
    }
    clear.run(after, through);
    insert.run(after, through);
    advance.run(through);
    return true;
  };
  if (position.get() !== undefined) {
    await writeTurns(store, step, turns);
  }
}
