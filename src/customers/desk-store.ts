import { type Sqlite, type Store, statementOf } from "../base/index.ts";
import { personOf } from "../collection/index.ts";
import { statementsOf } from "./consent.ts";
import { type ConsentWriter, openConsentWriter } from "./consent-store.ts";
import { blocker, identifierKey } from "./identity-rules.ts";
import { readIdentityRules } from "./identity-rules-store.ts";
import { type Identity, type Joined, openIdentity } from "./identity-store.ts";
import {
  type IsBlocked,
  identifiersOf,
  linksOf,
  type SeenIdentifier,
  type SeenLine,
} from "./observation.ts";
import {
  NO_CHANNEL,
  openProfileWriter,
  orderPartOf,
  type ProfileWriter,
} from "./profile-write-store.ts";

/** What resolving works with, prepared once. */
export interface Desk {
  readonly sqlite: Sqlite;
  readonly identity: Identity;
  readonly profiles: ProfileWriter;
  readonly consents: ConsentWriter;
  readonly isBlocked: IsBlocked;
}

/** The desk of a store, under its rules of now. */
export function openDesk(store: Store): Desk {
  const rules = readIdentityRules(store);
  return {
    sqlite: store.sqlite,
    identity: openIdentity(store.sqlite, rules),
    profiles: openProfileWriter(store.sqlite),
    consents: openConsentWriter(store.sqlite),
    isBlocked: blocker(rules),
  };
}

/** A live line, and the identifier it is of. */
export interface TakenLine {
  readonly identifierId: number;
  readonly line: SeenLine & { readonly person: string | null };
}

/** Live lines that were taken together: those of the inbox after one line (exclusive) through another. */
export interface TakenLines {
  readonly after: number;
  readonly through: number;
  readonly lines: readonly TakenLine[];
}

/** Takes lines to their customers, and returns those that are somebody's; call inside a transaction. */
export function takeLines(desk: Desk, lines: readonly SeenLine[], now: number): TakenLine[] {
  const named = lines.map((line) => ({ line, names: identifiersOf(line, desk.isBlocked) }));
  const { changed, active } = observe(desk, named, now);
  const touched = new Set<number>();
  const unsettled = new Set<number>();
  const taken: TakenLine[] = [];
  for (const { line, names } of named) {
    const owner = strongestOf(names, active) ?? ownerIdOf(desk, names);
    if (owner !== undefined) {
      const own = { ...line, person: personOf(line) };
      if (takeLine(desk, own, owner)) {
        unsettled.add(owner);
      }
      touched.add(owner);
      taken.push({ identifierId: owner, line: own });
    }
  }
  for (const id of touched) {
    desk.profiles.trimRecent(id);
  }
  desk.consents.settle(new Set([...changed, ...customersOf(desk, unsettled)]));
  return taken;
}

function strongestOf(
  [strongest]: NamedLine["names"],
  active: ReadonlyMap<string, number>,
): number | undefined {
  return strongest === undefined ? undefined : active.get(identifierKey(strongest));
}

/** Returns whether what counts of the person's consent may change. */
function takeLine(desk: Desk, line: TakenLine["line"], identifierId: number): boolean {
  const { source, occurredAt, channel } = line;
  const isNewToSource = desk.profiles.addActivity({
    identifierId,
    source,
    channel: channel ?? NO_CHANNEL,
    eventCount: line.line === 0 ? 1 : 0,
    firstAt: occurredAt,
    lastAt: occurredAt,
    isTrusted: line.isClaim ? 0 : 1,
  });
  const part = orderPartOf(line, identifierId);
  if (part !== undefined) {
    desk.profiles.addOrder(part);
  }
  desk.profiles.addRecent({ ...line, isClaim: line.isClaim ? 1 : 0 }, identifierId);
  const isNews = takeStatements(desk, line, identifierId, true);
  return isNewToSource || isNews;
}

/**
 * Takes over what a line says of its person; returns whether it said anything new of consent. `isLive` where
 * it came over the wire, and not as a row of a file.
 */
export function takeStatements(
  desk: Desk,
  line: SeenLine,
  identifierId: number,
  isLive: boolean,
): boolean {
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
  let isNews = false;
  for (const statement of statementsOf(line, identifierId, isLive)) {
    isNews = desk.consents.add(statement) || isNews;
  }
  return isNews;
}

/** A line with what it calls its person by. */
export interface NamedLine {
  readonly line: SeenLine;
  readonly names: ReturnType<typeof identifiersOf>;
}

/** Stores and joins the names of lines. */
export function observe(desk: Desk, named: readonly NamedLine[], now: number): Joined {
  const seen = new Map<string, SeenIdentifier>();
  for (const { line, names } of named) {
    for (const { type, value } of names) {
      const key = identifierKey({ type, value });
      const earlier = seen.get(key);
      const isTrusted = !line.isClaim || earlier?.isTrusted === true;
      if (earlier === undefined || line.occurredAt < earlier.firstSeenAt) {
        const { source, occurredAt: firstSeenAt } = line;
        seen.set(key, { type, value, source, firstSeenAt, isTrusted });
      } else if (isTrusted !== earlier.isTrusted) {
        seen.set(key, { ...earlier, isTrusted });
      }
    }
  }
  const links = named.flatMap(({ line, names }) => linksOf(line, names));
  return desk.identity.observe([...seen.values()], links, now);
}

/** The identifier a line belongs to: the strongest that is not shared. */
export function ownerIdOf(desk: Desk, names: NamedLine["names"]): number | undefined {
  for (const name of names) {
    const stored = desk.identity.find(name);
    if (stored?.status === "active") {
      return stored.id;
    }
  }
  return undefined;
}

/** The customers of these identifiers. */
export function customersOf(desk: Desk, identifiers: Iterable<number>): number[] {
  const read = statementOf<[number], number | null>(
    desk.sqlite,
    "SELECT customer_id FROM identifier WHERE id = ?",
  ).pluck();
  return [...identifiers].flatMap((id) => read.get(id) ?? []);
}
