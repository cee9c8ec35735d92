import { DAY_MS } from "../base/index.ts";
import type { Row } from "./condition.ts";
import type { Dialect } from "./dialect.ts";
import type { Fact, FactKind } from "./fact.ts";

/** The instants for which a query is made: one for everybody, or each row's own. */
export interface Instants {
  readonly dialect: Dialect;
  /** SQL of the cutoff in epoch ms: a number, or the column `cutoff_ms`. */
  readonly cutoff: string;
  /** What joins the keys of an entity: nothing, or `cutoff_ms`. */
  readonly keys: readonly string[];
  /**
   * A table expression of the facts of these kinds that had happened and were known before the cutoff; everybody's,
   * where so said, even if the query is made for some customers.
   */
  visible(kinds: readonly FactKind[], lookbackDays?: number, isEverybodys?: boolean): string;
}

/**
 * Rows that views aggregate: of one kind of event, at a cutoff, each with `customer_id` and `at_ms` (epoch ms).
 * Said twice, as SQL and in memory; test/features/parity.test.ts holds the two together.
 */
export interface Relation {
  readonly name: string;
  /** The kinds of facts that its rows are made of. */
  readonly kinds: readonly FactKind[];
  /** How many units of a column make one, where more than one does. */
  readonly scales: Readonly<Record<string, number>>;
  /** Whether rows say their earliest instant apart, as `first_at_ms`. */
  readonly hasFirstAt: boolean;
  /**
   * Whether a customer's rows at the start of a day are those before it of the rows at a later one, as long as
   * what was known of the customer before it is what happened before it (see late-customers.ts).
   */
  readonly onlyGrows: boolean;
  /** Common table expressions [name, SQL], the last of this relation's name. */
  sql(instants: Instants): readonly (readonly [string, string])[];
  /** The rows of one customer's facts (in order of time) that are visible at the cutoff, in order of `at_ms`. */
  rows(facts: readonly Fact[], cutoff: number): readonly Row[];
  /**
   * The row that one more fact adds after the rows before it, where it happened no earlier than any other and leaves
   * these as they are; undefined where it changes one. Absent where facts always change each other's rows.
   */
  readonly next?: (fact: Fact, before: readonly Row[]) => Row | undefined;
}

/** Day, hour and weekday (0 is Monday) in UTC of an instant, as columns. */
export function calendarSql(at: string, { dialect }: Instants): string {
  const day = dialect.quotient(at, DAY_MS);
  return `CAST(${day} AS INTEGER) AS day, CAST(${dialect.quotient(`${at} % ${DAY_MS}`, HOUR_MS)} AS INTEGER) AS hour, CAST((${day} + 3) % 7 AS INTEGER) AS weekday`;
}

/** The same of an instant in memory. */
export function calendarOf(at: number): {
  readonly day: number;
  readonly hour: number;
  readonly weekday: number;
} {
  const day = Math.floor(at / DAY_MS);
  return { day, hour: Math.floor((at % DAY_MS) / HOUR_MS), weekday: (day + 3) % 7 };
}

const HOUR_MS = 3_600_000;

/** Names, after others, in a list of columns. */
export function listed(keys: readonly string[], prefix = ""): string {
  return keys.map((key) => `, ${prefix}${key}`).join("");
}
