import { copyFileSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import { type Clock, KEY_FILE, openStore, ServiceError, type Store } from "../../base/index.ts";
import {
  becomeNewStore,
  copyBackup,
  openTombstones,
  takeTombstones,
} from "../../collection/index.ts";
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
  /** A key file, where the backup was made without one; null unless given. */
  readonly key: string | null;
}

/**
 * Verifies a backup, makes a store of it, and erases again whoever was erased since it was made. The store appears when that is
 * done, or not at all. Returns the receipts. Throws `invalid-input` for what is no backup or no store, `damaged` where a file
 * of the backup is.
 */
export async function restoreBackup(
  clock: Clock,
  request: RestoreRequest,
): Promise<SignedReceipt[]> {
  const { target } = request;
  const unfinished = `${target}.restoring`;
  rmSync(unfinished, { recursive: true, force: true });
  refuseFilled(target);
  try {
    const receipts = await restoreInto(clock, unfinished, request);
    renameSync(unfinished, target);
    return receipts;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function restoreInto(
  clock: Clock,
  unfinished: string,
  request: RestoreRequest,
): Promise<SignedReceipt[]> {
  const { backup, target, former, key } = request;
  const inside = relative(resolve(target), resolve(request.modelsFolder));
  const isInside = !inside.startsWith("..") && !isAbsolute(inside);
  const modelsFolder = isInside ? join(unfinished, inside) : request.modelsFolder;
  const { hasKey } = await copyBackup(backup, { folder: unfinished, modelsFolder });
  if (key !== null) {
    copyFileSync(key, join(unfinished, KEY_FILE));
  }
  const store = await openStore(unfinished);
  try {
    // Of files that are not part of it.
    store.sqlite.exec("DELETE FROM identity_snapshot");
    moveRejects(store, target);
    if (former !== null) {
      takeTombstones(store, former);
    } else if (!hasKey && key === null) {
      refuseWithoutKey(store);
    }
    becomeNewStore(store);
    const receipts = await applyTombstones(store, clock, { ...request, modelsFolder });
    await writeIdentity(store, clock);
    return receipts;
  } finally {
    store.close();
  }
}

/** Without the key nobody can tell whom the tombstones mean. */
function refuseWithoutKey({ sqlite }: Store): void {
  const isNeeded = sqlite
    .prepare<[], number>(
      "SELECT EXISTS (SELECT 1 FROM tombstone) OR EXISTS (SELECT 1 FROM erasure)",
    )
    .pluck()
    .get();
  if (isNeeded === 1) {
    throw new ServiceError(
      "invalid-input",
      `key: the backup was made without ${KEY_FILE}, and people were erased; give it with --key`,
      { field: "key" },
    );
  }
}

/** Files of rejects lie in the new folder. */
function moveRejects({ sqlite }: Store, target: string): void {
  const files = sqlite
    .prepare<[], { id: string; file: string }>(
      "SELECT id, rejects_file AS file FROM import_run WHERE rejects_file IS NOT NULL",
    )
    .all();
  const update = sqlite.prepare("UPDATE import_run SET rejects_file = ? WHERE id = ?");
  for (const { id, file } of files) {
    update.run(join(resolve(target), "rejects", basename(file)), id);
  }
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
