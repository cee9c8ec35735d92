import {
  type Clock,
  type DuckDb,
  type Store,
  withoutWaiting,
  writeTransaction,
} from "../base/index.ts";
import {
  historyFiles,
  type InboxLine,
  inboxLinesAfter,
  isInboxWaiting,
  isLiveFile,
  markInboxResolved,
  markResolved,
  resolvedThrough,
} from "../collection/index.ts";
import { recordStatedConsent } from "./consent-store.ts";
import { countCustomers } from "./customer-store.ts";
import {
  customersOf,
  type Desk,
  type NamedLine,
  observe,
  openDesk,
  ownerIdOf,
  type TakenLines,
  takeLines,
  takeStatements,
} from "./desk-store.ts";
import { identifiersOf } from "./observation.ts";
import { type FileObserver, observeFiles } from "./observe-store.ts";
import type { RecentLine } from "./profile-write-store.ts";
import { writeSnapshot } from "./snapshot-store.ts";

/** What a resolution did. */
export interface Resolution {
  readonly newCustomers: number;
  readonly newIdentifiers: number;
  readonly customers: number;
}

const ROWS_PER_TRANSACTION = 20_000;

/**
 * Gives every identifier of the inbox and the history its customer, joins what events link, and brings
 * profiles and consents up to date; events are not touched. A snapshot of who is who lies beside the
 * history for batch jobs to join. Each event counts once, also where a run was interrupted.
 */
export async function resolveCustomers(store: Store, clock: Clock): Promise<Resolution> {
  const before = counts(store);
  const desk = openDesk(store);
  resolveInbox(store, clock);
  const duckdb = await store.openDuckDb();
  try {
    for (const file of historyFiles(store, "unresolved")) {
      await resolveFile(store, clock, duckdb, desk, file);
    }
    recordStatedConsent(store, clock.now());
    await writeSnapshot(store, clock, duckdb);
  } finally {
    duckdb.close();
  }
  const after = counts(store);
  return {
    newCustomers: after.customers - before.customers,
    newIdentifiers: after.identifiers - before.identifiers,
    customers: after.customers,
  };
}

/** Brings the snapshot for batch jobs up to date, where an operator changed who is who. */
export async function writeIdentity(store: Store, clock: Clock): Promise<void> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 400 });
  try {
    await writeSnapshot(store, clock, duckdb);
  } finally {
    duckdb.close();
  }
}

function counts(store: Store): { readonly customers: number; readonly identifiers: number } {
  const identifiers = store.sqlite
    .prepare<[], number>("SELECT count(*) FROM identifier")
    .pluck()
    .get();
  return { customers: countCustomers(store), identifiers: identifiers ?? 0 };
}

/** A batch holds up the event loop; what it leaves comes next. */
const INBOX_BATCH = 500;

/**
 * Takes live lines to their customers as they come: the returned function resolves the next of them, a
 * small batch, tells of those that are somebody's, and says whether there were any.
 */
export function createLiveResolver(
  store: Store,
  clock: Clock,
  onTaken: OnTaken = () => undefined,
): () => boolean {
  const rulesOf = store.sqlite.prepare<[], number>("SELECT updated_at FROM identity_rules").pluck();
  let desk = openDesk(store);
  let rulesAt = rulesOf.get();
  return () => {
    const now = rulesOf.get();
    if (now !== rulesAt) {
      desk = openDesk(store);
      rulesAt = now;
    }
    return resolveBatch(store, clock, desk, onTaken) > 0;
  };
}

/** Resolves all that waits in the inbox; returns the last line that customers know. */
export function resolveInbox(store: Store, clock: Clock): number {
  const desk = openDesk(store);
  while (resolveBatch(store, clock, desk, () => undefined) > 0);
  return resolvedThrough(store.sqlite);
}

type OnTaken = (taken: TakenLines) => void;

/** Resolves the next lines of the inbox; returns how many. */
function resolveBatch(store: Store, clock: Clock, desk: Desk, onTaken: OnTaken): number {
  if (!isInboxWaiting(store.sqlite, resolvedThrough(store.sqlite))) {
    return 0;
  }
  const take = (): TakenLines & { readonly count: number } => {
    const after = resolvedThrough(store.sqlite);
    const lines = wholeMessages(store);
    const through = lines.at(-1)?.sequence ?? after;
    if (lines.length === 0) {
      return { after, through, lines: [], count: 0 };
    }
    const taken = takeLines(desk, lines, clock.now());
    markInboxResolved(store.sqlite, through);
    return { after, through, lines: taken, count: lines.length };
  };
  // What resolving writes follows from the inbox, and is made again where a power failure takes it.
  const { count, ...taken } = withoutWaiting(store.sqlite, () =>
    writeTransaction(store.sqlite, take),
  );
  onTaken(taken);
  return count;
}

function nextLines(store: Store, limit: number): InboxLine[] {
  return inboxLinesAfter(store.sqlite, resolvedThrough(store.sqlite), limit);
}

/** The next lines, up to where a message ends: a seal must find messages resolved or not, never in part. */
function wholeMessages(store: Store): InboxLine[] {
  for (let limit = INBOX_BATCH; ; limit *= 4) {
    const lines = nextLines(store, limit);
    const start = lines.findLastIndex((line) => line.line === 0);
    if (lines.length < limit) {
      return lines;
    }
    if (start > 0) {
      return lines.slice(0, start);
    }
  }
}

/** Everything that can be told twice first; what adds up comes last, in the transaction that marks the file. */
async function resolveFile(
  store: Store,
  clock: Clock,
  duckdb: DuckDb,
  desk: Desk,
  file: string,
): Promise<void> {
  const observer = await observeFiles(duckdb, store, [file]);
  const { owners, changed } = await takeGroups(clock, desk, observer);
  await observer.own(owners);
  const isLive = isLiveFile(store, file);
  const said = new Set<number>();
  for await (const batch of observer.statements()) {
    writeTransaction(desk.sqlite, () => {
      for (const { identifierId, line } of batch) {
        takeStatements(desk, line, identifierId, isLive);
        said.add(identifierId);
      }
    });
  }
  await takeRecent(desk, observer);
  const activities = await observer.activities();
  const orders = await observer.orders();
  writeTransaction(desk.sqlite, () => {
    for (const activity of activities) {
      desk.profiles.addActivity(activity);
    }
    for (const order of orders) {
      desk.profiles.addOrder(order);
    }
    const owning = new Set(activities.map((one) => one.identifierId));
    for (const owner of owning) {
      desk.profiles.trimRecent(owner);
    }
    for (const customer of customersOf(desk, new Set([...said, ...owning]))) {
      changed.add(customer);
    }
    desk.consents.settle(changed);
    markResolved(store, [file]);
  });
}

/** Stores and joins the names of every group; returns whose each is, and which customers changed. */
async function takeGroups(
  clock: Clock,
  desk: Desk,
  observer: FileObserver,
): Promise<{
  readonly owners: (readonly [number, number])[];
  readonly changed: Set<number>;
}> {
  const changed = new Set<number>();
  const all: { readonly group: number; readonly named: NamedLine }[] = [];
  let waiting: NamedLine[] = [];
  const store = (): void => {
    writeTransaction(desk.sqlite, () => {
      for (const customer of observe(desk, waiting, clock.now()).changed) {
        changed.add(customer);
      }
    });
    waiting = [];
  };
  for await (const batch of observer.groups()) {
    for (const { group, line } of batch) {
      const named = { line, names: identifiersOf(line, desk.isBlocked) };
      all.push({ group, named });
      waiting.push(named);
    }
    if (waiting.length >= ROWS_PER_TRANSACTION) {
      store();
    }
  }
  store();
  const owners = all.flatMap(({ group, named: { names } }) => {
    const owner = ownerIdOf(desk, names);
    return owner === undefined ? [] : [[group, owner] as const];
  });
  return { owners, changed };
}

async function takeRecent(desk: Desk, observer: FileObserver): Promise<void> {
  let waiting: RecentLine[] = [];
  const store = (): void => {
    writeTransaction(desk.sqlite, () => {
      for (const line of waiting) {
        desk.profiles.addRecent(line, line.identifierId);
      }
    });
    waiting = [];
  };
  for await (const batch of observer.recent()) {
    waiting = waiting.concat(batch);
    if (waiting.length >= ROWS_PER_TRANSACTION) {
      store();
    }
  }
  store();
}
