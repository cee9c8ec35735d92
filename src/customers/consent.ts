import { compareText } from "./identity-rules.ts";
import type { SeenLine } from "./observation.ts";

/** What a person said, once, of one purpose. Instants in epoch milliseconds. */
export interface ConsentStatement {
  readonly identifierId: number;
  readonly purpose: string;
  readonly statedAt: number;
  readonly source: string;
  readonly status: "granted" | "denied";
  /**
   * Sent along with an event: what a browser or a table remembers. Of these the first grant and the last
   * denial count, whatever the order in which they arrive.
   */
  readonly isRepeated: boolean;
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

/** The statements of a line. */
export function statementsOf(line: SeenLine, identifierId: number): ConsentStatement[] {
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
            source: line.source,
            status: isGranted ? ("granted" as const) : ("denied" as const),
            isRepeated: line.event !== PREFERENCE_EVENT,
            basis: line.event === PREFERENCE_EVENT ? "stated preference" : "sent with an event",
            jurisdiction: typeof jurisdiction === "string" ? jurisdiction : null,
            knownAt: line.knownAt,
          },
        ]
      : [],
  );
}

/**
 * What counts of everything one customer said of one purpose: the latest word by each identifier, and
 * where identifiers joined, the stricter. A denial is lifted only by a later grant of somebody who was
 * this customer already. Undefined where nothing was said.
 */
export function currentStatement(statements: readonly HeldStatement[]): HeldStatement | undefined {
  const inTime = [...statements].sort(
    (a, b) =>
      a.statedAt - b.statedAt || strictness(a) - strictness(b) || compareText(a.source, b.source),
  );
  const standing = inTime.filter(
    (one) => one.status === "denied" && !inTime.some((other) => lifts(other, one)),
  );
  return standing.at(-1) ?? inTime.filter((one) => one.status === "granted").at(-1);
}

function lifts(grant: HeldStatement, denial: HeldStatement): boolean {
  if (grant.status !== "granted" || grant.statedAt <= denial.statedAt) {
    return false;
  }
  if (grant.identifierId === denial.identifierId) {
    return true;
  }
  const joinedAt = Math.max(grant.linkedAt, denial.linkedAt);
  return !grant.isRepeated && grant.statedAt >= joinedAt;
}

/** At the same instant a denial is the last word. */
function strictness(statement: ConsentStatement): number {
  return statement.status === "denied" ? 1 : 0;
}
