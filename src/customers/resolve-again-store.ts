import {
  type Clock,
  type Sqlite,
  type Store,
  writeInTurns,
  writeTransaction,
} from "../base/index.ts";
import { countCustomers } from "./customer-store.ts";
import { openDesk } from "./desk-store.ts";
import { finishResolving } from "./pending-store.ts";
import { type Resolution, resolveCustomers, writeIdentity } from "./resolve-store.ts";

/**
 * Forgets who is who and what profiles say, and reads both again from the inbox and the history, by the
 * rules of now; an operator's joins and separations stay, customers keep their ids. What changed in the
 * end is recorded, not the way there.
 */
export async function resolveAgain(store: Store, clock: Clock): Promise<Resolution> {
  const { sqlite } = store;
  await finishResolving(store);
  const before = owners(sqlite);
  const recorded = lastChange(sqlite);
  const customers = countCustomers(store);
  writeTransaction(sqlite, () => {
    forget(store);
  });
  const { newIdentifiers } = await resolveCustomers(store, clock);
  const desk = openDesk(store);
  const ids = sqlite.prepare<[], number>("SELECT id FROM identifier ORDER BY id").pluck().all();
  await writeInTurns(store, ids, (id) => {
    desk.consents.settle(desk.identity.divide([id], clock.now()));
  });
  writeTransaction(sqlite, () => {
    sqlite.prepare("DELETE FROM customer_change WHERE id > ?").run(recorded);
    recordChanges(sqlite, before, clock.now());
  });
  await writeIdentity(store, clock);
  const now = countCustomers(store);
  return { newCustomers: Math.max(0, now - customers), newIdentifiers, customers: now };
}

function forget(store: Store): void {
  const { sqlite } = store;
  sqlite.exec(`
    DELETE FROM identifier_activity;
    DELETE FROM order_summary;
    DELETE FROM recent_event;
    DELETE FROM trait;
    DELETE FROM consent_statement;
    DELETE FROM identifier_link WHERE origin <> 'operator';
    UPDATE identifier SET status = 'active', stronger_link_count = 0, is_trusted = 0;
    UPDATE history_file SET is_resolved = 0;
    UPDATE resolve_position SET inbox_through = 0, identity_version = identity_version + 1`);
  const { isBlocked } = openDesk(store);
  const remove = sqlite.prepare("DELETE FROM identifier WHERE id = ?");
  const all = sqlite
    .prepare<[], { id: number; type: string; value: string }>(
      "SELECT id, type, value FROM identifier",
    )
    .all();
  for (const { id, type, value } of all) {
    if (isBlocked(type, value)) {
      remove.run(id);
    }
  }
  sqlite.exec(
    "UPDATE customer SET merged_into = id WHERE merged_into IS NULL AND id NOT IN (SELECT customer_id FROM identifier WHERE customer_id IS NOT NULL)",
  );
}

function owners(sqlite: Sqlite): Map<number, number> {
  return new Map(
    sqlite
      .prepare<[], [number, number]>(
        "SELECT id, customer_id FROM identifier WHERE customer_id IS NOT NULL ORDER BY id",
      )
      .raw()
      .all(),
  );
}

function lastChange(sqlite: Sqlite): number {
  return (
    sqlite.prepare<[], number>("SELECT coalesce(max(id), 0) FROM customer_change").pluck().get() ??
    0
  );
}

/** Who went into whom, and who came out of whom, from one state to the next. */
function recordChanges(sqlite: Sqlite, before: ReadonlyMap<number, number>, now: number): void {
  const after = owners(sqlite);
  const living = new Set(after.values());
  const insert = sqlite.prepare(
    "INSERT INTO customer_change VALUES (NULL, ?, ?, ?, NULL, NULL, 'resolved again', ?)",
  );
  const seen = new Set<string>();
  for (const [id, from] of before) {
    const to = after.get(id);
    if (to !== undefined && to !== from && !seen.has(`${from} ${to}`)) {
      seen.add(`${from} ${to}`);
      const isMerge = !living.has(from);
      insert.run(isMerge ? "merge" : "unmerge", isMerge ? to : from, isMerge ? from : to, now);
    }
  }
}
