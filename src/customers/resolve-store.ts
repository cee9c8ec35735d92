import type { Clock, DuckDb, Sqlite, Store } from "../base/index.ts";
import {
  historyFiles,
  inboxLinesAfter,
  markInboxResolved,
  markResolved,
  resolvedThrough,
} from "../collection/index.ts";
import { statementsOf } from "./consent.ts";
import { type ConsentWriter, openConsentWriter, recordStatedConsent } from "./consent-store.ts";
import { countCustomers } from "./customer-store.ts";
import { blocker } from "./identity-rules.ts";
import { readIdentityRules } from "./identity-rules-store.ts";
import { type Identity, openIdentity } from "./identity-store.ts";
import {
  type IsBlocked,
  identifiersOf,
  linksOf,
  ownerOf,
  type SeenIdentifier,
  type SeenLine,
} from "./observation.ts";
import { type FileObserver, observeFiles } from "./observe-store.ts";
import {
  NO_CHANNEL,
  openProfileWriter,
  orderPartOf,
  type ProfileWriter,
} from "./profile-write-store.ts";
import { writeSnapshot } from "./snapshot-store.ts";

/** What a resolution did. */
export interface Resolution {
  readonly newCustomers: number;
  readonly newIdentifiers: number;
  readonly customers: number;
}

/** What resolving works with, prepared once. */
interface Desk {
  readonly sqlite: Sqlite;
  readonly identity: Identity;
  readonly profiles: ProfileWriter;
  readonly consents: ConsentWriter;
  readonly isBlocked: IsBlocked;
}

function openDesk(store: Store): Desk {
  const rules = readIdentityRules(store);
  return {
    sqlite: store.sqlite,
    identity: openIdentity(store.sqlite, rules),
    profiles: openProfileWriter(store.sqlite),
    consents: openConsentWriter(store.sqlite),
    isBlocked: blocker(rules),
  };
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
  resolveLines(store, clock, desk);
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

function counts(store: Store): { readonly customers: number; readonly identifiers: number } {
  const identifiers = store.sqlite
    .prepare<[], number>("SELECT count(*) FROM identifier")
    .pluck()
    .get();
  return { customers: countCustomers(store), identifiers: identifiers ?? 0 };
}

/** The lines of a message stay together: a file's rows are many, an inbox's batch is small. */
const INBOX_BATCH = 500;

/** Takes live lines to their customers; the returned function does so for what came since it was last called. */
export function createLiveResolver(store: Store, clock: Clock): () => number {
  const desk = openDesk(store);
  return () => resolveLines(store, clock, desk);
}

/** Resolves what waits in the inbox; returns how many lines. */
function resolveLines(store: Store, clock: Clock, desk: Desk): number {
  let resolved = 0;
  const next = store.sqlite.transaction((): number => {
    const lines = inboxLinesAfter(store.sqlite, resolvedThrough(store.sqlite), INBOX_BATCH);
    const last = lines.at(-1);
    if (last !== undefined) {
      takeLines(desk, lines, clock.now());
      markInboxResolved(store.sqlite, last.sequence);
    }
    return lines.length;
  });
  for (let count = next.immediate(); count > 0; count = next.immediate()) {
    resolved += count;
  }
  return resolved;
}

function takeLines(desk: Desk, lines: readonly SeenLine[], now: number): void {
  const named = lines.map((line) => ({ line, names: identifiersOf(line, desk.isBlocked) }));
  const changed = observe(desk, named, now);
  const touched = new Set<number>();
  for (const { line, names } of named) {
    const owner = ownerIdOf(desk, line, names);
    if (owner !== undefined) {
      takeLine(desk, line, owner);
      touched.add(owner);
    }
  }
  for (const id of touched) {
    desk.profiles.trimRecent(id);
  }
  desk.consents.settle(new Set([...changed, ...customersOf(desk, touched)]));
}

function takeLine(desk: Desk, line: SeenLine, identifierId: number): void {
  const { source, occurredAt, channel } = line;
  desk.profiles.addActivity({
    identifierId,
    source,
    channel: channel ?? NO_CHANNEL,
    eventCount: line.line === 0 ? 1 : 0,
    firstAt: occurredAt,
    lastAt: occurredAt,
  });
  const part = orderPartOf(line, identifierId);
  if (part !== undefined) {
    desk.profiles.addOrder(part);
  }
  desk.profiles.addRecent({ ...line, identifierId });
  takeStatements(desk, line, identifierId);
}

function takeStatements(desk: Desk, line: SeenLine, identifierId: number): void {
  const { source, occurredAt, knownAt } = line;
  const traits = line.traits === null ? {} : (JSON.parse(line.traits) as Record<string, unknown>);
  for (const [name, value] of Object.entries(traits)) {
    desk.profiles.addTrait({
      identifierId,
      name,
      value: JSON.stringify(value),
      source,
      occurredAt,
      knownAt,
    });
  }
  for (const statement of statementsOf(line, identifierId)) {
    desk.consents.add(statement, line.event);
  }
}

interface NamedLine {
  readonly line: SeenLine;
  readonly names: ReturnType<typeof identifiersOf>;
}

function observe(desk: Desk, named: readonly NamedLine[], now: number): ReadonlySet<number> {
  const seen = new Map<string, SeenIdentifier>();
  for (const { line, names } of named) {
    for (const { type, value } of names) {
      const key = `${type}\n${value}`;
      const earlier = seen.get(key);
      if (earlier === undefined || line.occurredAt < earlier.firstSeenAt) {
        seen.set(key, { type, value, source: line.source, firstSeenAt: line.occurredAt });
      }
    }
  }
  const links = named.flatMap(({ line, names }) => linksOf(line, names));
  return desk.identity.observe([...seen.values()], links, now).changed;
}

/** The identifier a line belongs to: the strongest that is not shared. */
function ownerIdOf(desk: Desk, line: SeenLine, names: NamedLine["names"]): number | undefined {
  const usable = names.flatMap((name) => {
    const stored = desk.identity.find(name);
    return stored?.status === "active" ? [{ ...name, id: stored.id }] : [];
  });
  const owner = ownerOf(line, usable);
  return usable.find((one) => one.type === owner?.type && one.value === owner.value)?.id;
}

function customersOf(desk: Desk, identifiers: Iterable<number>): number[] {
  const read = desk.sqlite
    .prepare<[number], number | null>("SELECT customer_id FROM identifier WHERE id = ?")
    .pluck();
  return [...identifiers].flatMap((id) => read.get(id) ?? []);
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
  const owners = await takeGroups(clock, desk, observer);
  await observer.own(owners);
  const said = new Set<number>();
  for await (const batch of observer.statements()) {
    desk.sqlite.transaction(() => {
      for (const { identifierId, line } of batch) {
        takeStatements(desk, line, identifierId);
        said.add(identifierId);
      }
    })();
  }
  await takeRecent(desk, observer);
  const activities = await observer.activities();
  const orders = await observer.orders();
  desk.sqlite.transaction(() => {
    for (const activity of activities) {
      desk.profiles.addActivity(activity);
    }
    for (const order of orders) {
      desk.profiles.addOrder(order);
    }
    const owning = new Set(activities.map((one) => one.identifierId));
    desk.consents.settle(new Set(customersOf(desk, new Set([...said, ...owning]))));
    markResolved(store, [file]);
  })();
}

/** Stores and joins the names of every group; returns whose each is. */
async function takeGroups(
  clock: Clock,
  desk: Desk,
  observer: FileObserver,
): Promise<(readonly [number, number])[]> {
  const all: { readonly group: number; readonly named: NamedLine }[] = [];
  for await (const batch of observer.groups()) {
    const named = batch.map(({ group, line }) => ({
      group,
      named: { line, names: identifiersOf(line, desk.isBlocked) },
    }));
    desk.sqlite.transaction(() => {
      const changed = observe(
        desk,
        named.map((one) => one.named),
        clock.now(),
      );
      desk.consents.settle(changed);
    })();
    for (const one of named) {
      all.push(one);
    }
  }
  return all.flatMap(({ group, named: { line, names } }) => {
    const owner = ownerIdOf(desk, line, names);
    return owner === undefined ? [] : [[group, owner] as const];
  });
}

async function takeRecent(desk: Desk, observer: FileObserver): Promise<void> {
  const owners = new Set<number>();
  let waiting: Parameters<ProfileWriter["addRecent"]>[0][] = [];
  const store = desk.sqlite.transaction(() => {
    for (const line of waiting) {
      desk.profiles.addRecent(line);
      owners.add(line.identifierId);
    }
    waiting = [];
  });
  for await (const batch of observer.recent()) {
    waiting = waiting.concat(batch);
    if (waiting.length >= ROWS_PER_TRANSACTION) {
      store();
    }
  }
  store();
  desk.sqlite.transaction(() => {
    for (const owner of owners) {
      desk.profiles.trimRecent(owner);
    }
  })();
}
