import type { Dialect } from "./dialect.ts";

/** A row of a relation, or of a view's grain: numbers, texts, or null where nothing is said. */
export type Row = Readonly<Record<string, number | string | null>>;

/** A test on a row, said once for SQL and for memory. A test of null is false in both. */
export interface Condition {
  /** `columnOf` says under which name the rows have a column, where it is another. */
  sql(dialect: Dialect, columnOf?: (column: string) => string): string;
  test(row: Row): boolean;
  /** The same for people. */
  readonly words: string;
}

/** The column is one of these texts. */
export function is(column: string, ...values: readonly string[]): Condition {
  const wanted: ReadonlySet<unknown> = new Set(values);
  return {
    sql: (dialect, columnOf = itself) =>
      `${columnOf(column)} IN (${values.map((value) => dialect.text(value)).join(", ")})`,
    test: (row) => wanted.has(row[column]),
    words: `${column} is ${values.join(" or ")}`,
  };
}

/** The column says something. */
export function isKnown(column: string): Condition {
  return {
    sql: (_, columnOf = itself) => `${columnOf(column)} IS NOT NULL`,
    test: (row) => row[column] !== null && row[column] !== undefined,
    words: `${column} is known`,
  };
}

/** The column is a number of [from, below). */
export function isWithin(column: string, from: number, below: number): Condition {
  return {
    sql: (_, columnOf = itself) =>
      `(${columnOf(column)} >= ${from} AND ${columnOf(column)} < ${below})`,
    test: (row) => {
      const value = row[column];
      return typeof value === "number" && value >= from && value < below;
    },
    words:
      below === Number.MAX_SAFE_INTEGER
        ? `${column} is at least ${from}`
        : `${column} is from ${from} to below ${below}`,
  };
}

/** `later` is known, and greater than `earlier` where that is known. */
export function isAfter(later: string, earlier: string): Condition {
  return {
    sql: (_, columnOf = itself) => {
      const [a, b] = [columnOf(later), columnOf(earlier)];
      return `(${a} IS NOT NULL AND (${b} IS NULL OR ${b} < ${a}))`;
    },
    test: (row) => {
      const a = row[later];
      const b = row[earlier];
      return typeof a === "number" && (typeof b !== "number" || b < a);
    },
    words: `${later} is known and after any ${earlier}`,
  };
}

function itself(column: string): string {
  return column;
}
