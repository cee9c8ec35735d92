import { type Store, writeTransaction } from "../base/index.ts";
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
 * and visitors who never became known, with all that hangs on them. Those who ordered stay.
 */
export function forgetOld(store: Store, now: number): Forgotten {
  const { sqlite } = store;
  const { policy } = readRetention(store);
  return writeTransaction(sqlite, () => {
    let recentLines = 0;
    for (const { events, keep } of Object.values(policy.classes)) {
      const from = keptFrom(keep, now);
      if (from !== null) {
        recentLines += sqlite
          .prepare(
            "DELETE FROM recent_event WHERE occurred_at < ? AND event IN (SELECT value FROM json_each(?))",
          )
          .run(from, JSON.stringify(events)).changes;
      }
    }
    const from = keptFrom(policy.anonymous, now);
    if (from === null) {
      return { recentLines, visitors: 0 };
    }
    recentLines += sqlite
      .prepare(
        `DELETE FROM recent_event WHERE occurred_at < ? AND coalesce(event, '') NOT IN (SELECT value FROM json_each(?))
           AND identifier_id IN (SELECT id FROM identifier WHERE customer_id IN (${UNKNOWN_CUSTOMERS}))`,
      )
      .run(from, JSON.stringify([EventName.orderCompleted, ...REFUND_EVENTS])).changes;
    return { recentLines, visitors: forgetVisitors(store, from) };
  });
}

function forgetVisitors(store: Store, from: number): number {
  const { sqlite } = store;
  const customers = sqlite
    .prepare<[number], number>(
      `SELECT i.customer_id FROM identifier i LEFT JOIN identifier_activity a ON a.identifier_id = i.id
       WHERE i.customer_id IN (${UNKNOWN_CUSTOMERS})
         AND NOT EXISTS (SELECT 1 FROM order_summary o WHERE o.identifier_id = i.id)
       GROUP BY 1 HAVING max(coalesce(a.last_at, i.first_seen_at)) < ?`,
    )
    .pluck()
    .all(from);
  const isTheirs = "(SELECT id FROM customer WHERE id = @id OR merged_into = @id)";
  const forget = [
    ...["identifier", "consent", "prediction", "audience_member"].map(
      (table) => `DELETE FROM ${table} WHERE customer_id IN ${isTheirs}`,
    ),
    "DELETE FROM customer WHERE merged_into = @id AND id <> @id",
    "DELETE FROM customer WHERE id = @id",
  ].map((sql) => sqlite.prepare(sql));
  for (const id of customers) {
    for (const statement of forget) {
      statement.run({ id });
    }
  }
  if (customers.length > 0) {
    sqlite.prepare("UPDATE resolve_position SET identity_version = identity_version + 1").run();
  }
  return customers.length;
}
