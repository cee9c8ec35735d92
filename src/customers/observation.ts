import type { EventLine } from "../collection/index.ts";
import { compareIdentifiers, type Identifier } from "./identity-rules.ts";

/** An identifier as events showed it. Instants in epoch milliseconds. */
export interface SeenIdentifier extends Identifier {
  readonly source: string;
  readonly firstSeenAt: number;
}

/** Two identifiers of one event, the stronger first; a claim came with a public key. */
export interface SeenLink {
  readonly from: Identifier;
  readonly to: Identifier;
  readonly isClaim: boolean;
  readonly source: string;
  /** The earliest event that said so, as a person can look it up. */
  readonly reason: string;
  readonly occurredAt: number;
  readonly knownAt: number;
}

/** A row of the inbox or of a history file, as far as customers are concerned. */
export interface SeenLine extends EventLine {
  readonly source: string;
}

/** Tells whether an identifier is nobody's. */
export type IsBlocked = (type: string, value: string) => boolean;

/** Everything an event calls its person by, the strongest first, without what is nobody's. */
export function identifiersOf(line: SeenLine, isBlocked: IsBlocked): Identifier[] {
  const others =
    line.identifiers === null ? [] : (JSON.parse(line.identifiers) as [string, string][]);
  const all: (readonly [string, string | null])[] = [
    ["user_id", line.userId],
    ...others,
    ["anonymous_id", line.anonymousId],
  ];
  const seen = new Map<string, Identifier>();
  for (const [type, value] of all) {
    if (value !== null && !isBlocked(type, value)) {
      seen.set(`${type}\n${value}`, { type, value });
    }
  }
  return [...seen.values()].sort(compareIdentifiers);
}

/**
 * Which of its identifiers an event belongs to: user id, else the strongest other, else anonymous id. A
 * claim is its visitor's first, since its user id is only said.
 */
export function ownerOf(
  line: SeenLine,
  identifiers: readonly Identifier[],
): Identifier | undefined {
  const visitor = line.isClaim
    ? identifiers.find(({ type }) => type === "anonymous_id")
    : undefined;
  return visitor ?? identifiers[0];
}

/** Every pair of an event's identifiers. */
export function linksOf(line: SeenLine, identifiers: readonly Identifier[]): SeenLink[] {
  const { source, messageId, isClaim, occurredAt, knownAt } = line;
  return identifiers.flatMap((from, index) =>
    identifiers.slice(index + 1).map((to) => ({
      from,
      to,
      isClaim,
      source,
      reason: `message ${messageId}`,
      occurredAt,
      knownAt,
    })),
  );
}
