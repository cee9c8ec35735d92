import { literal, sparkLiteral } from "../base/index.ts";

/** Where DuckDB and Spark SQL say the same thing differently; all else in feature SQL is common ground. */
export interface Dialect {
  readonly name: "duckdb" | "spark";
  /** The whole-number quotient of a whole number that is not negative. */
  quotient(sql: string, divisor: number): string;
  /** A whole number wide enough for squares of milliseconds. */
  wide(sql: string): string;
  /** Values that compare by the first, then by the second. */
  tuple(first: string, second: string): string;
  /** A text as a literal. */
  text(value: string): string;
  /** The text at a path of JSON text; the path as `$.a[0].b`. */
  jsonText(sql: string, path: string): string;
}

export const duckDbDialect: Dialect = {
  name: "duckdb",
  quotient: (sql, divisor) => `(${sql}) // ${divisor}`,
  wide: (sql) => `CAST(${sql} AS HUGEINT)`,
  tuple: (first, second) => `row(${first}, ${second})`,
  text: literal,
  jsonText: (sql, path) => `json_extract_string(${sql}, ${literal(path)})`,
};

export const sparkDialect: Dialect = {
  name: "spark",
  quotient: (sql, divisor) => `(${sql}) DIV ${divisor}`,
  wide: (sql) => `CAST(${sql} AS DECIMAL(38, 0))`,
  tuple: (first, second) => `struct(${first}, ${second})`,
  text: sparkLiteral,
  jsonText: (sql, path) => `get_json_object(${sql}, ${sparkLiteral(path)})`,
};
