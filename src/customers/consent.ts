import { compareText } from "./identity-rules.ts";
import type { SeenLine } from "./observation.ts";

/** What a person said, once, of one purpose. Instants in epoch milliseconds. */
export interface ConsentStatement {
  readonly identifierId: number;
  readonly purpose: string;
  /** When it was said, by the clock of whoever sent it. */
  readonly statedAt: number;
  /** When it reached the server; of a row of a file, which may tell of long ago, the same as `statedAt`. */
  readonly arrivedAt: number;
  readonly source: string;
  readonly status: "granted" | "denied";
  /**
   * Sent along with an event: what a browser or a table remembers. Of these the first grant and the last
   * denial count, whatever the order in which they arrive.
   */
  readonly isRepeated: boolean;
  /** Whether it came with a public key, so that anybody could have sent it. */
  readonly isClaim: boolean;
  readonly basis: string;
  readonly jurisdiction: string | null;
  readonly knownAt: number;
}

/** A statement, and from when its identifier was known to be this customer's. */
export interface HeldStatement extends ConsentStatement {
  readonly linkedAt: number;
}

/** The event by which a person sets preferences. */
const PREFERENCE_EVENT = "Segment Consent Preference Updated";

/** The statements of a line; `isLive` where it came over the wire, and not as a row of a file. */
export function statementsOf(
  line: SeenLine,
  identifierId: number,
  isLive: boolean,
): ConsentStatement[] {
  if (line.consent === null) {
    return [];
  }
  const { jurisdiction, ...purposes } = JSON.parse(line.consent) as Record<string, unknown>;
  return Object.entries(purposes).flatMap(([purpose, isGranted]) =>
    typeof isGranted === "boolean"
      ? [
          {
            identifierId,
            purpose,
            statedAt: line.occurredAt,
            arrivedAt: isLive ? Math.max(line.knownAt, line.occurredAt) : line.occurredAt,
            source: line.source,
            status: isGranted ? ("granted" as const) : ("denied" as const),
            isRepeated: line.event !== PREFERENCE_EVENT,
            isClaim: line.isClaim,
            basis: line.event === PREFERENCE_EVENT ? "stated preference" : "sent with an event",
            jurisdiction: typeof jurisdiction === "string" ? jurisdiction : null,
            knownAt: line.knownAt,
          },
        ]
      : [],
  );
}

/**
 * What counts of everything one customer said of one purpose, whatever the order in which it is given: a denial
 * stands until a grant lifts it (`lifts`), and nothing but denials ends a grant. Where the customer is known
 * from anything but public keys (`isKnown`), grants of public keys count for nothing. Undefined where nothing
 * was said that counts. docs/customers.md has the table.
 */
export function currentStatement(
  statements: readonly HeldStatement[],
  isKnown: boolean,
): HeldStatement | undefined {
  const counting = statements.filter((one) => one.status === "denied" || !(isKnown && one.isClaim));
  const inOrder = counting.sort(
    (a, b) =>
      a.statedAt - b.statedAt ||
      a.arrivedAt - b.arrivedAt ||
      compareText(a.source, b.source) ||
      a.identifierId - b.identifierId ||
      compareText(a.basis, b.basis),
  );
  const grants = inOrder.filter((one) => one.status === "granted");
  const standing = inOrder.filter(
    (one) => one.status === "denied" && !grants.some((grant) => lifts(grant, one)),
  );
  return standing.at(-1) ?? grants.at(-1);
}

/**
 * A grant lifts a denial that was said before it by both clocks: the stated times say so, and the denial did
 * not arrive after it (nor, of a denial that came over the wire, after the time that a row states). Where they
 * contradict each other, one clock was wrong or a message was held up, and the denial stands. Of another
 * identifier it is lifted by a preference only, that was set when both were known to be one person's.
 */
function lifts(grant: HeldStatement, denial: HeldStatement): boolean {
  if (grant.statedAt <= denial.statedAt || grant.arrivedAt < denial.arrivedAt) {
    return false;
  }
  if (grant.identifierId === denial.identifierId) {
    return true;
  }
  const joinedAt = Math.max(grant.linkedAt, denial.linkedAt);
  return !grant.isRepeated && grant.statedAt >= joinedAt;
}

/**
 * What is kept of two repeated statements that differ in times only: of grants the earliest, of denials the
 * latest time of each clock, so that no order of arrival makes a difference and none makes it less strict.
 */
export function mergeRepeated<T extends Pick<ConsentStatement, "statedAt" | "arrivedAt">>(
  kept: T,
  { status, statedAt, arrivedAt }: ConsentStatement,
): Pick<T, "statedAt" | "arrivedAt"> {
  const pick = status === "granted" ? Math.min : Math.max;
  return { statedAt: pick(kept.statedAt, statedAt), arrivedAt: pick(kept.arrivedAt, arrivedAt) };
}
