import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { type Clock, openStore, ServiceError, type Store } from "../../base/index.ts";
import { copyBackup, openTombstones, takeTombstones } from "../../collection/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { resolveCustomers, writeIdentity } from "../resolve-store.ts";
import { type ErasureOptions, erasePerson, resumeErasures } from "./erase-store.ts";
import type { SignedReceipt } from "./receipt.ts";

/** What to restore, and where. */
export interface RestoreRequest extends ErasureOptions {
  readonly backup: string;
  /** A new or empty folder. */
  readonly target: string;
  /** The store that was in use, whose tombstones count; null where there is none. */
  readonly former: string | null;
}

/**
 * Makes a store of a backup and erases again whoever was erased since it was made. The store appears
 * when that is done. Returns the receipts. Throws `invalid-input` for what is no backup or no store.
 */
export async function restoreBackup(
  clock: Clock,
  request: RestoreRequest,
): Promise<SignedReceipt[]> {
  const { backup, target, former } = request;
  const unfinished = `${target}.restoring`;
  rmSync(unfinished, { recursive: true, force: true });
  refuseFilled(target);
  copyBackup(backup, unfinished);
  const store = await openStore(unfinished);
  let receipts: SignedReceipt[];
  try {
    // Of files that are not part of it.
    store.sqlite.exec("DELETE FROM identity_snapshot");
    if (former !== null) {
      takeTombstones(store, former);
    }
    receipts = await applyTombstones(store, clock, request);
    await writeIdentity(store, clock);
  } finally {
    store.close();
  }
  renameSync(unfinished, target);
  return receipts;
}

function refuseFilled(target: string): void {
  if (existsSync(target) && readdirSync(target).length > 0) {
    throw new ServiceError(
      "invalid-input",
      `store: expected a new or empty folder, got ${target}`,
      {
        field: "store",
      },
    );
  }
}

/** Erases whoever has an identifier that a tombstone refuses. Call it as the only writer. */
async function applyTombstones(
  store: Store,
  clock: Clock,
  options: ErasureOptions,
): Promise<SignedReceipt[]> {
  const receipts = await resumeErasures(store, clock, options);
  await resolveCustomers(store, clock);
  const tombstones = openTombstones(store);
  const erased = store.sqlite
    .prepare<[], Identifier>("SELECT type, value FROM identifier WHERE customer_id IS NOT NULL")
    .all()
    .filter(({ type, value }) => tombstones.has(type, value));
  const isThere = store.sqlite
    .prepare<[string, string], number>("SELECT 1 FROM identifier WHERE type = ? AND value = ?")
    .pluck();
  for (const one of erased) {
    if (isThere.get(one.type, one.value) === 1) {
      receipts.push(await erasePerson(store, clock, one, options));
    }
  }
  return receipts;
}
