import { type Store, statementOf, type Turns, writeTurns, writeWhenFree } from "../base/index.ts";
import { historyFiles, markResolved } from "../collection/index.ts";
import { customersOf, type Desk, openDesk } from "./desk-store.ts";
import type { Activity, OrderPart } from "./profile-write-store.ts";

/** Activities and orders of a history file: sums, that must count exactly once. */
export interface FileSums {
  readonly activities: readonly Activity[];
  readonly orders: readonly OrderPart[];
}

/**
 * Takes the sums of a file into profiles and marks the file as resolved, in turns. Interrupted before all of them are stored,
 * nothing of them counts; interrupted later, `finishResolving` goes on. Call it as the only writer.
 */
export async function takeSums(
  store: Store,
  file: string,
  { activities, orders }: FileSums,
  turns?: Turns,
): Promise<void> {
  const { sqlite } = store;
  await finishResolving(store, turns);
  await discard(store, turns);
  await writeWhenFree(sqlite, () =>
    sqlite.prepare("INSERT INTO pending_file VALUES (1, ?, 0)").run(file),
  );
  // Whoever was erased meanwhile has no identifier to hang it on.
  const isKnown = "WHERE EXISTS (SELECT 1 FROM identifier WHERE id = @identifierId)";
  await insertAll(
    store,
    `INSERT INTO pending_activity SELECT @identifierId, @source, @channel, @eventCount, @firstAt, @lastAt, @isTrusted ${isKnown}`,
    activities,
    turns,
  );
  await insertAll(
    store,
    `INSERT INTO pending_order SELECT @identifierId, @source, @orderId, @orderedAt, @lastAt, @currency, @lineCount, @quantity,
       @amount, @refundedQuantity, @refundedAmount, @isCancelled ${isKnown}`,
    orders,
    turns,
  );
  // So that the next commit, which waits for the disk, holds the lock for a moment only.
  await store.flush();
  await writeWhenFree(sqlite, () => sqlite.prepare("UPDATE pending_file SET is_ready = 1").run());
  await finishResolving(store, turns);
}

async function insertAll(
  store: Store,
  sql: string,
  rows: readonly object[],
  turns: Turns | undefined,
): Promise<void> {
  const insert = store.sqlite.prepare(sql);
  let next = 0;
  await writeTurns(
    store,
    () => {
      const row = rows[next++];
      if (row !== undefined) {
        insert.run(row);
      }
      return next < rows.length;
    },
    turns,
  );
}

/** Removes what was stored of a file before its writer was interrupted. */
async function discard(store: Store, turns: Turns | undefined): Promise<void> {
  const { sqlite } = store;
  for (const table of ["pending_activity", "pending_order"]) {
    const remove = sqlite.prepare(
      `DELETE FROM ${table} WHERE identifier_id IN (SELECT identifier_id FROM ${table} LIMIT 50)`,
    );
    await writeTurns(store, () => remove.run().changes > 0, turns);
  }
  await writeWhenFree(sqlite, () => sqlite.prepare("DELETE FROM pending_file").run());
}

/**
 * Finishes taking the sums of a file into profiles where that was interrupted, in turns: a person's all at once. Call it as
 * the only writer, before anything else: until then profiles lack what the file brought.
 */
export async function finishResolving(store: Store, turns?: Turns): Promise<void> {
  const file = readyFile(store);
  if (file === undefined) {
    return;
  }
  const desk = openDesk(store);
  const next = store.sqlite
    .prepare<[], number>(
      "SELECT identifier_id FROM pending_activity UNION ALL SELECT identifier_id FROM pending_order LIMIT 1",
    )
    .pluck();
  await writeTurns(
    store,
    () => {
      const identifierId = next.get();
      if (identifierId === undefined) {
        finish(store, file);
        return false;
      }
      moveOne(desk, identifierId);
      return true;
    },
    turns,
  );
}

function readyFile(store: Store): string | undefined {
  return store.sqlite
    .prepare<[], string>("SELECT file FROM pending_file WHERE is_ready = 1")
    .pluck()
    .get();
}

function finish(store: Store, file: string): void {
  if (historyFiles(store).includes(file)) {
    markResolved(store, [file]);
  }
  store.sqlite.prepare("DELETE FROM pending_file").run();
}

/** Moves what waits of an identifier to its profile; call inside a transaction. */
function moveOne(desk: Desk, identifierId: number): void {
  const { sqlite, profiles, consents } = desk;
  const activities = statementOf<[number], Activity>(
    sqlite,
    `DELETE FROM pending_activity WHERE identifier_id = ? RETURNING identifier_id AS identifierId, source, channel,
       event_count AS eventCount, first_at AS firstAt, last_at AS lastAt, is_trusted AS isTrusted`,
  );
  const orders = statementOf<[number], OrderPart>(
    sqlite,
    `DELETE FROM pending_order WHERE identifier_id = ? RETURNING identifier_id AS identifierId, source, order_id AS orderId,
       ordered_at AS orderedAt, last_at AS lastAt, currency, line_count AS lineCount, quantity, amount,
       refunded_quantity AS refundedQuantity, refunded_amount AS refundedAmount, is_cancelled AS isCancelled`,
  );
  for (const activity of activities.all(identifierId)) {
    profiles.addActivity(activity);
  }
  for (const order of orders.all(identifierId)) {
    profiles.addOrder(order);
  }
  profiles.trimRecent(identifierId);
  consents.settle(customersOf(desk, [identifierId]));
}
