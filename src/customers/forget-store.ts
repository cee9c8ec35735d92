import { type Sqlite, type Store, type Turns, writeInTurns, writeTurns } from "../base/index.ts";
import { EventName, keptFrom, REFUND_EVENTS, readRetention } from "../collection/index.ts";
import { identitySql } from "./snapshot-store.ts";

/** What went of the persons, beside what went of the history. */
export interface Forgotten {
  /** Visitors who never became known, whose last event is older than the policy keeps. */
  readonly visitors: number;
  /** Lines of timelines. */
  readonly recentLines: number;
}

/**
 * The anonymous ids whose person is known, as a DuckDB table expression: those of customers who have any
 * other identifier. From the latest snapshot.
 */
export function knownVisitorsSql(store: Store): string {
  return `(SELECT v.value AS anonymous_id FROM ${identitySql(store)} v
    WHERE v.type = 'anonymous_id' AND v.customer_id IN (SELECT customer_id FROM ${identitySql(store)} WHERE type <> 'anonymous_id'))`;
}

const UNKNOWN_CUSTOMERS = `SELECT customer_id FROM identifier WHERE customer_id IS NOT NULL
  GROUP BY customer_id HAVING sum(type <> 'anonymous_id') = 0`;

/**
 * Takes from profiles what the retention policy keeps no longer: lines of timelines by class of event,
 * and visitors who never became known, with all that hangs on them. Those who ordered stay. It writes in turns, a visitor's
 * all at once; interrupted, the next call finds the rest.
 */
export async function forgetOld(store: Store, now: number, turns?: Turns): Promise<Forgotten> {
  const { policy } = readRetention(store);
  const byClass = Object.values(policy.classes).flatMap(({ events, keep }) => {
    const from = keptFrom(keep, now);
    return from === null ? [] : [{ from, events: JSON.stringify(events) }];
  });
  const ofClasses = byClass.length === 0 ? 0 : await forgetLines(store, byClass, turns);
  const from = keptFrom(policy.anonymous, now);
  const { recentLines, visitors } =
    from === null ? { recentLines: 0, visitors: 0 } : await forgetVisitors(store, from, turns);
  return { recentLines: ofClasses + recentLines, visitors };
}

const IDENTIFIERS_PER_STEP = 50;

async function forgetLines(
  store: Store,
  classes: readonly { readonly from: number; readonly events: string }[],
  turns: Turns | undefined,
): Promise<number> {
  const last = store.sqlite
    .prepare<[number], number | null>(
      `SELECT max(id) FROM (SELECT id FROM identifier WHERE id > ? ORDER BY id LIMIT ${IDENTIFIERS_PER_STEP})`,
    )
    .pluck();
  const remove = store.sqlite.prepare(
    `DELETE FROM recent_event WHERE identifier_id > ? AND identifier_id <= ? AND occurred_at < ?
       AND event IN (SELECT value FROM json_each(?))`,
  );
  let after = 0;
  let removed = 0;
  const step = (): boolean => {
    const through = last.get(after) ?? null;
    if (through === null) {
      return false;
    }
    for (const { from, events } of classes) {
      removed += remove.run(after, through, from, events).changes;
    }
    after = through;
    return true;
  };
  await writeTurns(store, step, turns);
  return removed;
}

async function forgetVisitors(
  store: Store,
  from: number,
  turns: Turns | undefined,
): Promise<Forgotten> {
  const { sqlite } = store;
  // Who logs in meanwhile is unknown no longer.
  const isUnknown = sqlite
    .prepare<[number], number>(
      "SELECT sum(type <> 'anonymous_id') IS 0 FROM identifier WHERE customer_id = ?",
    )
    .pluck();
  const removeLines = sqlite.prepare(
    `DELETE FROM recent_event WHERE occurred_at < ? AND coalesce(event, '') NOT IN (SELECT value FROM json_each(?))
       AND identifier_id IN (SELECT id FROM identifier WHERE customer_id = ?)`,
  );
  const isOld = sqlite
    .prepare<[number, number], number>(
      `SELECT max(coalesce(a.last_at, i.first_seen_at)) < ? FROM identifier i
         LEFT JOIN identifier_activity a ON a.identifier_id = i.id
       WHERE i.customer_id = ? AND NOT EXISTS (
         SELECT 1 FROM identifier o JOIN order_summary s ON s.identifier_id = o.id WHERE o.customer_id = i.customer_id)`,
    )
    .pluck();
  const forget = openForget(sqlite);
  const kept = JSON.stringify([EventName.orderCompleted, ...REFUND_EVENTS]);
  const done = { recentLines: 0, visitors: 0 };
  const take = (customer: number): void => {
    if (isUnknown.get(customer) === 1) {
      done.recentLines += removeLines.run(from, kept, customer).changes;
      if (isOld.get(from, customer) === 1) {
        forget(customer);
        done.visitors++;
      }
    }
  };
  const unknown = sqlite.prepare<[], number>(UNKNOWN_CUSTOMERS).pluck().all();
  await writeInTurns(store, unknown, take, turns);
  return done;
}

function openForget(sqlite: Sqlite): (customerId: number) => void {
  const isTheirs = "(SELECT id FROM customer WHERE id = @id OR merged_into = @id)";
  const statements = [
    ...["identifier", "consent", "prediction", "audience_member"].map(
      (table) => `DELETE FROM ${table} WHERE customer_id IN ${isTheirs}`,
    ),
    "DELETE FROM customer WHERE merged_into = @id AND id <> @id",
    "DELETE FROM customer WHERE id = @id",
  ].map((sql) => sqlite.prepare(sql));
  const version = sqlite.prepare(
    "UPDATE resolve_position SET identity_version = identity_version + 1",
  );
  return (id) => {
    for (const statement of statements) {
      statement.run({ id });
    }
    version.run();
  };
}
