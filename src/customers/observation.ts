import type { EventLine } from "../collection/index.ts";
import { compareIdentifiers, type Identifier } from "./identity-rules.ts";

/** An identifier as events showed it. Instants in epoch milliseconds. */
export interface SeenIdentifier extends Identifier {
  readonly source: string;
  readonly firstSeenAt: number;
  /** Whether anything but a public key named it. */
  readonly isTrusted: boolean;
}

/** Two identifiers of one event, the stronger first. */
export interface SeenLink {
  readonly from: Identifier;
  readonly to: Identifier;
  readonly source: string;
  /** The earliest event that said so, as a person can look it up. */
  readonly reason: string;
  readonly occurredAt: number;
  readonly knownAt: number;
}

/** A row of the inbox or of a history file, as far as customers are concerned. */
export interface SeenLine extends Omit<EventLine, "properties" | "cost"> {
  readonly source: string;
}

/** Tells whether an identifier is nobody's. */
export type IsBlocked = (type: string, value: string) => boolean;

/**
 * Everything an event calls its person by, the strongest first, without what is nobody's. Of a claim only
 * the visitor counts: anybody can say that they are somebody.
 */
export function identifiersOf(line: SeenLine, isBlocked: IsBlocked): Identifier[] {
  const seen = new Map<string, Identifier>();
  for (const [type, value] of line.isClaim ? [] : strongNames(line)) {
    if (value !== null && !isBlocked(type, value)) {
      seen.set(`${type}\n${value}`, { type, value });
    }
  }
  const visitor = line.anonymousId;
  if (visitor !== null && !isBlocked("anonymous_id", visitor)) {
    seen.set(`anonymous_id\n${visitor}`, { type: "anonymous_id", value: visitor });
  }
  return [...seen.values()].sort(compareIdentifiers);
}

function strongNames(line: SeenLine): (readonly [string, string | null])[] {
  const others =
    line.identifiers === null ? [] : (JSON.parse(line.identifiers) as [string, string][]);
  return [["user_id", line.userId], ...others];
}

/** Every pair of an event's identifiers. */
export function linksOf(line: SeenLine, identifiers: readonly Identifier[]): SeenLink[] {
  const { source, messageId, occurredAt, knownAt } = line;
  return identifiers.flatMap((from, index) =>
    identifiers.slice(index + 1).map((to) => ({
      from,
      to,
      source,
      reason: `message ${messageId}`,
      occurredAt,
      knownAt,
    })),
  );
}
