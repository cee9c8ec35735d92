import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  acquireServerLock,
  acquireWriterLock,
  type Clock,
  DATABASE,
  openStore,
  readStoreFile,
  type Store,
  writeTransaction,
} from "../../base/index.ts";
import {
  continueGeneration,
  type ListedHistory,
  listHistory,
  listInFolder,
  setAside,
} from "../../collection/index.ts";
import { openDesk } from "../desk-store.ts";
import { resolveCustomers, writeIdentity } from "../resolve-store.ts";
import { identityFile } from "../snapshot-store.ts";
import { type CarriedOver, type Former, openFormer } from "./carry-over-store.ts";
import { dropOldSnapshots, dropUnseen, keepNumbers } from "./known-numbers-store.ts";

/** The new database's name until it is whole. */
const UNFINISHED = `${DATABASE}.rebuilding`;

export interface RebuildRequest {
  /** The store's folder. */
  readonly folder: string;
  /** Another database to take settings, keys, tombstones and models from, such as that of a backup. */
  readonly from: string | undefined;
  readonly leaveOutDamaged: boolean;
}

/** What a rebuild came to. */
export interface RebuildReport extends ListedHistory {
  readonly customers: number;
  /** Customers who kept their numbers. */
  readonly numbersKept: number;
  /** Rows taken over from an earlier database, by what they are; null where there was none that could be read. */
  readonly carriedOver: CarriedOver | null;
  /** Where the database that was in the folder lies now; null where there was none. */
  readonly formerDatabase: string | null;
}

/**
 * Makes a store's database from its history files: the manifest, message ids, imports, identifiers and links, consents,
 * profiles and recent orders. What the history does not hold (write keys, settings, tombstones, models, an operator's joins) is
 * taken from the database in the folder where that is of this store and can be read, or from `from`. The old database moves
 * into quarantine when the new one is whole; until then nothing changes. Throws `conflict` while a server or a writer
 * uses the store, and `damaged` naming history files that are missing or damaged.
 */
export async function rebuildDatabase(
  clock: Clock,
  request: RebuildRequest,
): Promise<RebuildReport> {
  const release = aloneIn(request.folder, clock);
  try {
    return await rebuildAlone(clock, request);
  } finally {
    release();
  }
}

async function rebuildAlone(
  clock: Clock,
  { folder, from, leaveOutDamaged }: RebuildRequest,
): Promise<RebuildReport> {
  removeUnfinished(folder);
  const store = await openStore(folder, { database: UNFINISHED });
  let isWhole = false;
  try {
    const former = await formerOf(store, from);
    try {
      const report = await fill(store, clock, former, leaveOutDamaged);
      store.sqlite.pragma("wal_checkpoint(TRUNCATE)");
      const formerDatabase = setFormerAside(store, clock);
      isWhole = true;
      return { ...report, formerDatabase };
    } finally {
      former?.close();
    }
  } finally {
    store.close();
    if (isWhole) {
      renameSync(join(folder, UNFINISHED), join(folder, DATABASE));
    }
    removeUnfinished(folder);
  }
}

/** Neither a server nor a writer may use the store meanwhile. */
function aloneIn(folder: string, clock: Clock): () => void {
  const server = acquireServerLock({ folder }, clock);
  try {
    const releaseWriter = acquireWriterLock({ folder }, "rebuild", clock);
    return () => {
      releaseWriter();
      server.release();
    };
  } catch (error) {
    server.release();
    throw error;
  }
}

async function fill(
  store: Store,
  clock: Clock,
  former: Former | undefined,
  leaveOutDamaged: boolean,
): Promise<Omit<RebuildReport, "formerDatabase">> {
  const listed = await listHistory(store, { now: clock.now(), leaveOutDamaged });
  const numbersKept = await keepNumbers(store);
  const settings = former?.settings(store);
  await resolveCustomers(store, clock);
  const unseen = dropUnseen(store);
  const decisions = former?.decisions(store);
  writeTransaction(store.sqlite, () => {
    const desk = openDesk(store);
    desk.consents.settle(desk.identity.divide(decisions?.identifiers ?? [], clock.now()));
  });
  await writeIdentity(store, clock);
  dropOldSnapshots(store, identityFile(store));
  continueGeneration(store);
  listInFolder(store);
  const customers = store.sqlite
    .prepare<[], number>("SELECT count(*) FROM customer WHERE merged_into IS NULL")
    .pluck()
    .get();
  return {
    ...listed,
    customers: customers ?? 0,
    numbersKept: numbersKept - unseen,
    carriedOver: settings === undefined ? null : { ...settings, ...decisions?.counts },
  };
}

/** The database to take over from: the given one, else that in the folder where it is of this store. */
async function formerOf(store: Store, from: string | undefined): Promise<Former | undefined> {
  if (from !== undefined) {
    return openFormer(store, from);
  }
  const own = join(store.folder, DATABASE);
  if ((statSync(own, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    return undefined;
  }
  const former = await openFormer(store, own);
  const said = readStoreFile(store.folder);
  const isForeign =
    said !== undefined &&
    said !== "unreadable" &&
    former !== undefined &&
    former.storeId !== said.storeId;
  if (isForeign) {
    former.close();
    return undefined;
  }
  return former;
}

function setFormerAside(store: Store, clock: Clock): string | null {
  if (!existsSync(join(store.folder, DATABASE))) {
    return null;
  }
  const moved = setAside(
    store,
    clock,
    { folder: ".", name: DATABASE },
    "herkoop rebuild replaced it",
  );
  for (const part of ["-wal", "-shm"]) {
    const file = join(store.folder, DATABASE + part);
    if (existsSync(file)) {
      renameSync(file, join(store.path("quarantine"), moved.name + part));
    }
  }
  return `quarantine/${moved.name}`;
}

function removeUnfinished(folder: string): void {
  for (const part of ["", "-wal", "-shm"]) {
    rmSync(join(folder, UNFINISHED + part), { force: true });
  }
}
