import {
  type Clock,
  type DuckDb,
  type Store,
  systemPause,
  type Turns,
  whenFree,
  withoutWaiting,
  writeInTurns,
  writeTransaction,
} from "../base/index.ts";
import {
  historyFiles,
  type InboxLine,
  inboxLinesAfter,
  isInboxWaiting,
  isLiveFile,
  markInboxResolved,
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
import { finishResolving, takeSums } from "./pending-store.ts";
import { writeSnapshot } from "./snapshot-store.ts";

/** What a resolution did. */
export interface Resolution {
  readonly newCustomers: number;
  readonly newIdentifiers: number;
  readonly customers: number;
}

/**
 * Gives every identifier of the inbox and the history its customer, joins what events link, and brings
 * profiles and consents up to date; events are not touched. A snapshot of who is who lies beside the
 * history for batch jobs to join. Each event counts once, also where a run was interrupted. It writes in turns, between
 * which others write. Throws `busy` where another process lets nobody write; the next run goes on from there.
 */
export async function resolveCustomers(
  store: Store,
  clock: Clock,
  turns?: Turns,
): Promise<Resolution> {
  const before = counts(store);
  const desk = openDesk(store);
  await finishResolving(store, turns);
  await resolveInbox(store, clock);
  const duckdb = await store.openDuckDb();
  try {
    for (const file of historyFiles(store, "unresolved")) {
      await resolveFile(store, clock, duckdb, desk, file, turns);
    }
    await recordStatedConsent(store, clock.now(), turns);
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

/** Between two batches others write. */
const GAP_MS = 4;

/** Resolves all that waits in the inbox, in turns; returns the last line that customers know. */
export async function resolveInbox(store: Store, clock: Clock): Promise<number> {
  const desk = openDesk(store);
  const next = (): number => resolveBatch(store, clock, desk, () => undefined);
  while ((await whenFree(store.sqlite, next)) > 0) {
    await systemPause(GAP_MS);
  }
  return resolvedThrough(store.sqlite);
}

/** Resolves all that waits in the inbox at once; call inside a transaction. */
export function resolveInboxNow(store: Store, clock: Clock): void {
  const desk = openDesk(store);
  while (resolveBatch(store, clock, desk, () => undefined) > 0);
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

/** Everything that can be told twice first; what adds up comes last, and counts once. */
async function resolveFile(
  store: Store,
  clock: Clock,
  duckdb: DuckDb,
  desk: Desk,
  file: string,
  turns: Turns | undefined,
): Promise<void> {
  const observer = await observeFiles(duckdb, store, [file]);
  await observer.own(await takeGroups(store, clock, desk, observer, turns));
  const isLive = isLiveFile(store, file);
  for await (const batch of observer.statements()) {
    const take = ({ identifierId, line }: (typeof batch)[number]): void => {
      if (takeStatements(desk, line, identifierId, isLive)) {
        desk.consents.settle(customersOf(desk, [identifierId]));
      }
    };
    await writeInTurns(store, batch, take, turns);
  }
  for await (const batch of observer.recent()) {
    const add = (line: (typeof batch)[number]): void => {
      desk.profiles.addRecent(line, line.identifierId);
    };
    await writeInTurns(store, batch, add, turns);
  }
  const sums = { activities: await observer.activities(), orders: await observer.orders() };
  await takeSums(store, file, sums, turns);
}

/** So many groups are stored and joined together, whatever a turn holds: the numbers that customers get depend on it. */
const GROUPS_TOGETHER = 50;

/** Stores and joins the names of every group, and what follows from that for consent; returns whose each is. */
async function takeGroups(
  store: Store,
  clock: Clock,
  desk: Desk,
  observer: FileObserver,
  turns: Turns | undefined,
): Promise<(readonly [number, number])[]> {
  const all: { readonly group: number; readonly named: NamedLine }[] = [];
  const take = (lot: readonly NamedLine[]): void => {
    desk.consents.settle(observe(desk, lot, clock.now()).changed);
  };
  let waiting: NamedLine[] = [];
  for await (const batch of observer.groups()) {
    for (const { group, line } of batch) {
      const named = { line, names: identifiersOf(line, desk.isBlocked) };
      all.push({ group, named });
      waiting.push(named);
    }
    const whole = waiting.length - (waiting.length % GROUPS_TOGETHER);
    await writeInTurns(store, inLots(waiting.slice(0, whole)), take, turns);
    waiting = waiting.slice(whole);
  }
  await writeInTurns(store, inLots(waiting), take, turns);
  return all.flatMap(({ group, named: { names } }) => {
    const owner = ownerIdOf(desk, names);
    return owner === undefined ? [] : [[group, owner] as const];
  });
}

function inLots<T>(values: readonly T[]): T[][] {
  const count = Math.ceil(values.length / GROUPS_TOGETHER);
  return Array.from({ length: count }, (_, lot) =>
    values.slice(lot * GROUPS_TOGETHER, (lot + 1) * GROUPS_TOGETHER),
  );
}
