import { randomUUID } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, openStoreKey, type Store, toIso, writeWhenFree } from "../../base/index.ts";
import { addTombstones, listBackups, setAsideUnlisted } from "../../collection/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { resolveCustomers, resolveInboxNow, writeIdentity } from "../resolve-store.ts";
import { SNAPSHOT_NAME } from "../snapshot-store.ts";
import { eraseRows, type TableErasure } from "./erase-rows-store.ts";
import {
  beginErasure,
  finishErasure,
  type Plan,
  pendingErasures,
  readPlan,
  updatePlan,
} from "./erasure-store.ts";
import { eraseFromFiles, findInFiles } from "./person-files-store.ts";
import {
  countNamed,
  eraseFromHistory,
  findInHistory,
  type PersonHistory,
} from "./person-history-store.ts";
import { findPerson, type Person } from "./person-store.ts";
import { eraseFromQuarantine } from "./quarantine-files-store.ts";
import { type Receipt, type ReceiptStore, type SignedReceipt, signReceipt } from "./receipt.ts";
import { cleanDatabase, emptyLog, searchFiles, searchTables } from "./remains-store.ts";

/** The steps of an erasure, in their order. */
export const ERASURE_STEPS = [
  "resolve",
  "refuse",
  "rows",
  "history",
  "snapshot",
  "files",
  "clean",
  "receipt",
] as const;
export type ErasureStep = (typeof ERASURE_STEPS)[number];

/** What erasing works with. */
export interface ErasureOptions {
  /** Where models lie, to be searched. */
  readonly modelsFolder: string;
  /** Hears of each step when it is done. */
  readonly onStep?: (step: ErasureStep) => void;
}

/** What erasing a person would remove, without doing it. */
export interface ErasurePreview {
  /** How many identifiers of each type. */
  readonly identifiers: Readonly<Record<string, number>>;
  readonly stores: readonly ReceiptStore[];
}

/**
 * Erases the person behind an identifier from everything in the store, refuses what names them from then
 * on, and leaves a signed receipt. Interrupted at any instant, `resumeErasures` finishes it. Call it as the
 * only writer. Throws `not-found` where nobody has the identifier.
 */
export async function erasePerson(
  store: Store,
  clock: Clock,
  identifier: Identifier,
  options: ErasureOptions,
): Promise<SignedReceipt> {
  await resolveCustomers(store, clock);
  options.onStep?.("resolve");
  const id = randomUUID();
  await writeWhenFree(store.sqlite, () => {
    // Whoever came meanwhile is known, too; whoever comes from here on is refused.
    resolveInboxNow(store, clock);
    const person = findPerson(store, identifier);
    const startedAt = clock.now();
    beginErasure(store, id, {
      person,
      startedAt,
      tombstones: [],
      firstKnownAt: null,
      stores: [],
    });
    const tombstones = addTombstones(store, person.identifiers, startedAt, id);
    updatePlan(store, id, { person, startedAt, tombstones, firstKnownAt: null, stores: [] });
  });
  options.onStep?.("refuse");
  return finish(store, clock, id, options);
}

/** Finishes erasures that were interrupted. Call it as the only writer. */
export async function resumeErasures(
  store: Store,
  clock: Clock,
  options: ErasureOptions,
): Promise<SignedReceipt[]> {
  const receipts: SignedReceipt[] = [];
  for (const id of pendingErasures(store)) {
    receipts.push(await finish(store, clock, id, options));
  }
  return receipts;
}

/** Each step can be done again: it finds what an interrupted one left. */
async function finish(
  store: Store,
  clock: Clock,
  id: string,
  { modelsFolder, onStep }: ErasureOptions,
): Promise<SignedReceipt> {
  setAsideUnlisted(store, clock);
  const { person } = readPlan(store, id);
  const found = await findInHistory(store, person);
  note(store, id, (plan) => withHistory(plan, found));
  await writeWhenFree(store.sqlite, () => {
    const tables = eraseRows(store, person, found.messages);
    note(store, id, (plan) => ({ ...plan, stores: [...plan.stores, ...tables.map(ofTable)] }));
  });
  onStep?.("rows");
  const { changed } = await eraseFromHistory(store, person);
  addStore(store, id, { store: HISTORY, removed: 0, changed });
  onStep?.("history");
  await renewSnapshot(store, clock);
  onStep?.("snapshot");
  for (const { folder, removed } of await eraseFromFiles(store, person)) {
    addStore(store, id, { store: `${folder} files`, removed, changed: 0 });
  }
  const { removed: setAside, unsearched } = await eraseFromQuarantine(store, person);
  addStore(store, id, { store: "quarantine files", removed: setAside, changed: 0 });
  onStep?.("files");
  const databaseRewritten = await cleanDatabase(store, person.identifiers);
  onStep?.("clean");
  const finishedAt = clock.now();
  const receipt = await receiptOf(store, id, modelsFolder, {
    finishedAt,
    databaseRewritten,
    unsearched,
  });
  const signed = signReceipt(receipt, openStoreKey(store));
  finishErasure(store, id, finishedAt, signed);
  emptyLog(store.sqlite);
  onStep?.("receipt");
  return signed;
}

const HISTORY = "history files";

/** What the history held of the person when it was first read: a resumed erasure finds less. */
function withHistory(plan: Plan, found: PersonHistory): Plan {
  return plan.stores.some(({ store }) => store === HISTORY)
    ? plan
    : {
        ...plan,
        firstKnownAt: found.firstKnownAt,
        stores: [...plan.stores, { store: HISTORY, removed: found.rows, changed: 0 }],
      };
}

function note(store: Store, id: string, change: (plan: Plan) => Plan): void {
  updatePlan(store, id, change(readPlan(store, id)));
}

function addStore(store: Store, id: string, { store: name, removed, changed }: ReceiptStore): void {
  if (removed + changed > 0) {
    note(store, id, (plan) => ({
      ...plan,
      stores: [...plan.stores, { store: name, removed, changed }],
    }));
  }
}

function ofTable({ table, removed, changed }: TableErasure): ReceiptStore {
  return { store: `table ${table}`, removed, changed };
}

/** A new snapshot, and no older one. */
async function renewSnapshot(store: Store, clock: Clock): Promise<void> {
  await writeIdentity(store, clock);
  const current = store.sqlite
    .prepare<[], string>("SELECT file FROM identity_snapshot ORDER BY generation DESC LIMIT 1")
    .pluck()
    .get();
  const folder = store.path("customers");
  for (const name of readdirSync(folder).filter(
    (one) => SNAPSHOT_NAME.test(one) && one !== current,
  )) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

async function receiptOf(
  store: Store,
  id: string,
  modelsFolder: string,
  done: {
    readonly finishedAt: number;
    readonly databaseRewritten: boolean;
    readonly unsearched: readonly string[];
  },
): Promise<Receipt> {
  const { person, startedAt, tombstones, firstKnownAt, stores } = readPlan(store, id);
  const key = openStoreKey(store);
  const models = await searchFiles(modelsFolder, person.identifiers);
  const remains = await searchFiles(store.folder, person.identifiers);
  return {
    format: "herkoop-erasure-1",
    id,
    startedAt: toIso(startedAt),
    finishedAt: toIso(done.finishedAt),
    tombstones,
    stores: summed(stores),
    models: {
      versions: versionsThatSaw(store, firstKnownAt),
      filesSearched: models.filesSearched,
      filesWithRemains: models.files,
    },
    backups: listBackups(store)
      .filter(({ madeAt }) => madeAt <= startedAt)
      .map(({ folder, madeAt }) => ({ folder, madeAt: toIso(madeAt) })),
    verification: {
      filesSearched: remains.filesSearched,
      identifiersSearched: remains.identifiersSearched,
      // A file that nobody can look into may hold the person: the receipt names it.
      filesWithRemains: [...remains.files, ...done.unsearched],
      columnsWithRemains: searchTables(store.sqlite, person.identifiers),
      historyRowsLeft: await countNamed(store, person),
      databaseRewritten: done.databaseRewritten,
    },
    keyId: key.id,
    publicKey: key.publicKey,
  };
}

/** One line per store, also where an interrupted erasure counted in parts. */
function summed(stores: readonly ReceiptStore[]): ReceiptStore[] {
  const sums = new Map<string, ReceiptStore>();
  for (const { store, removed, changed } of stores) {
    const earlier = sums.get(store);
    sums.set(store, {
      store,
      removed: removed + (earlier?.removed ?? 0),
      changed: changed + (earlier?.changed ?? 0),
    });
  }
  return [...sums.values()];
}

/** Versions as of an instant after something was known of the person. */
function versionsThatSaw(store: Store, firstKnownAt: number | null): Receipt["models"]["versions"] {
  return store.sqlite
    .prepare<[number | null], { id: string; model: string; asOf: number }>(
      "SELECT id, model, as_of AS asOf FROM model_version WHERE as_of > ? ORDER BY as_of, id",
    )
    .all(firstKnownAt)
    .map(({ asOf, ...version }) => ({ ...version, asOf: toIso(asOf) }));
}

/** What erasing the person would remove, of what is resolved; others' rows in files are not looked at. */
export async function previewErasure(
  store: Store,
  identifier: Identifier,
): Promise<ErasurePreview> {
  const person = findPerson(store, identifier);
  const history = await findInHistory(store, person);
  const files = await findInFiles(store, person);
  return {
    identifiers: countTypes(person),
    stores: summed([
      { store: HISTORY, removed: history.rows, changed: 0 },
      ...previewRows(store, person, history.messages).map(ofTable),
      ...files.map(({ folder, positions }) => ({
        store: `${folder} files`,
        removed: positions.length,
        changed: 0,
      })),
    ]),
  };
}

function countTypes({ identifiers }: Person): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of identifiers) {
    counts[type] = (counts[type] ?? 0) + 1;
  }
  return counts;
}

/** The rows are removed, counted, and put back. */
function previewRows(
  store: Store,
  person: Person,
  messages: Parameters<typeof eraseRows>[2],
): TableErasure[] {
  const { sqlite } = store;
  sqlite.exec("BEGIN IMMEDIATE");
  try {
    return eraseRows(store, person, messages);
  } finally {
    sqlite.exec("ROLLBACK");
  }
}
