import { openStoreKey, ServiceError, type Store } from "../../base/index.ts";
import type { Person } from "./person-store.ts";
import type { ReceiptStore, SignedReceipt } from "./receipt.ts";

/** What an erasure that is under way has to do and has done. It names the person: kept locked, until it is finished. */
export interface Plan {
  readonly person: Person;
  readonly startedAt: number;
  readonly tombstones: readonly { readonly type: string; readonly hash: string }[];
  /** Null until the history was read. */
  readonly firstKnownAt: number | null;
  readonly stores: readonly ReceiptStore[];
}

/** An erasure that began; with a receipt where it is finished. */
export interface Erasure {
  readonly id: string;
  readonly startedAt: number;
  readonly finishedAt: number | null;
}

const COLUMNS = "id, started_at AS startedAt, finished_at AS finishedAt";

/** Records that an erasure began; call inside a transaction. */
export function beginErasure(store: Store, id: string, plan: Plan): void {
  store.sqlite
    .prepare("INSERT INTO erasure VALUES (?, ?, ?, NULL, NULL, NULL)")
    .run(id, plan.startedAt, lock(store, plan));
}

/** Records how far an erasure came. */
export function updatePlan(store: Store, id: string, plan: Plan): void {
  store.sqlite.prepare("UPDATE erasure SET plan = ? WHERE id = ?").run(lock(store, plan), id);
}

function lock(store: Store, plan: Plan): Buffer {
  return openStoreKey(store).lock(JSON.stringify(plan));
}

/** What an erasure still has to do. Throws where it is finished. */
export function readPlan(store: Store, id: string): Plan {
  const locked = store.sqlite
    .prepare<[string], Buffer | null>("SELECT plan FROM erasure WHERE id = ?")
    .pluck()
    .get(id);
  if (locked === undefined || locked === null) {
    throw new Error(`erasure ${id} is not under way`);
  }
  return JSON.parse(openStoreKey(store).unlock(locked)) as Plan;
}

/** Records the receipt, and that nothing is left to do. */
export function finishErasure(
  store: Store,
  id: string,
  finishedAt: number,
  { receipt, signature }: SignedReceipt,
): void {
  store.sqlite
    .prepare(
      "UPDATE erasure SET plan = NULL, finished_at = ?, receipt = ?, signature = ? WHERE id = ?",
    )
    .run(finishedAt, JSON.stringify(receipt), signature, id);
}

/** Every erasure, the oldest first. */
export function listErasures(store: Store): Erasure[] {
  return store.sqlite
    .prepare<[], Erasure>(`SELECT ${COLUMNS} FROM erasure ORDER BY started_at, rowid`)
    .all();
}

/** Erasures that were interrupted, the oldest first. */
export function pendingErasures(store: Store): string[] {
  return listErasures(store).flatMap(({ id, finishedAt }) => (finishedAt === null ? [id] : []));
}

/** A receipt by its id. Throws `not-found`, or `not-ready` while the erasure is not finished. */
export function readReceipt(store: Store, id: string): SignedReceipt {
  const row = store.sqlite
    .prepare<[string], { receipt: string | null; signature: string | null }>(
      "SELECT receipt, signature FROM erasure WHERE id = ?",
    )
    .get(id);
  if (row === undefined) {
    throw new ServiceError("not-found", `id: there is no receipt ${id}; herkoop receipts list`, {
      field: "id",
    });
  }
  if (row.receipt === null || row.signature === null) {
    throw new ServiceError("not-ready", `erasure ${id} was interrupted; herkoop erase --resume`);
  }
  return {
    receipt: JSON.parse(row.receipt) as SignedReceipt["receipt"],
    signature: row.signature,
  };
}
