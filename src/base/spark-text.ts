import { isAbsolute } from "node:path";
import { quoted } from "./duckdb.ts";
import { ServiceError } from "./errors.ts";

/** A query whose rows Spark writes as Parquet files into a folder that must not be there yet. */
export interface SparkWrite {
  readonly query: string;
  /** Absolute; every machine of the cluster must see it under this path. */
  readonly folder: string;
}

/** A text as a literal of Spark SQL, where a backslash escapes and the command line reads line by line. */
export function sparkLiteral(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("'", "\\'")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\0", "\\0");
  return `'${escaped}'`;
}

/** Where a write's files are until all of them are there. */
export function partialFolder(write: SparkWrite): string {
  return `${write.folder}.partial`;
}

/** The statement that writes a query as zstd Parquet into the write's partial folder. */
export function writeStatement(write: SparkWrite): string {
  return `INSERT OVERWRITE DIRECTORY ${sparkLiteral(`file:${partialFolder(write)}`)} USING parquet OPTIONS (compression 'zstd')\n${write.query}`;
}

export interface SparkView {
  readonly name: string;
  /** Absolute paths; at least one. Whoever lists them has to see to it that they are there: Spark leaves out what is not. */
  readonly files: readonly string[];
  /**
   * Name and Spark type of each column, in order. A file without one has NULL there; INT files can be
   * read as BIGINT. Without columns Spark merges the schemas of all files, which must agree in their types.
   */
  readonly columns?: Readonly<Record<string, string>>;
  /** The folder below which folders `name=value` are columns, too; then `files` may be folders. */
  readonly basePath?: string;
}

/** What Spark would read as a pattern, or leave out as hidden. */
const PATTERN = /[{}[\]*?,\\]|\/[._][^/]*$/;

/**
 * The statement that makes a temporary view of exactly these Parquet files. Throws `invalid-input` for a
 * path that Spark can't be made to take literally.
 */
export function viewStatement(view: SparkView): string {
  const odd = view.files.find((file) => !isAbsolute(file) || PATTERN.test(file));
  if (odd !== undefined || view.files.length === 0) {
    throw new ServiceError(
      "invalid-input",
      `Spark: expected absolute paths without any of { } [ ] * ? , \\ and names that begin with neither "." nor "_", got ${odd ?? "none"}`,
      { field: "files" },
    );
  }
  const columns = Object.entries(view.columns ?? {}).map(
    ([name, type]) => `${quoted(name)} ${type}`,
  );
  const given = columns.length === 0 ? "" : ` (${columns.join(", ")})`;
  const merge = columns.length === 0 ? ", mergeSchema 'true'" : "";
  const base =
    view.basePath === undefined ? "" : `, basePath ${sparkLiteral(`file:${view.basePath}`)}`;
  return `CREATE OR REPLACE TEMPORARY VIEW ${quoted(view.name)}${given} USING parquet OPTIONS (path ${sparkLiteral(pathOf(view.files))}${base}${merge})`;
}

/** One path for several files: Spark's option holds one, and takes a list in braces. */
function pathOf(files: readonly string[]): string {
  const [first] = files;
  return files.length === 1 && first !== undefined
    ? `file:${first}`
    : `file:/{${files.map((file) => file.slice(1)).join(",")}}`;
}

/** "[CLASS] text ... SQLSTATE: 42703" */
const CONDITION = /\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\](.*)/;
const STATE = /SQLSTATE: ([0-9A-Z]{5})/;

/**
 * What went wrong, on one line, from what Spark said on standard error. The text of data exceptions
 * (SQLSTATE 22...) is left out, as it quotes the row's values, and so is what a script of TRANSFORM said.
 */
export function sparkFailure(lines: readonly string[]): string {
  const conditions = [...new Set(lines.flatMap((line) => conditionOf(line) ?? []))];
  const [first, ...others] = conditions;
  if (first !== undefined) {
    const last = others.at(-1);
    return last === undefined ? first : `${first}; caused by ${last}`;
  }
  const told =
    lines.find((line) => line.includes("OutOfMemoryError")) ??
    lines.find((line) => /(?:Exception|Error): /.test(line)) ??
    lines.findLast((line) => /^\S/.test(line) && !line.startsWith("WARNING:")) ??
    "no reason given";
  return withoutValues(told);
}

function conditionOf(line: string): string | undefined {
  const found = CONDITION.exec(line);
  if (found === null) {
    return undefined;
  }
  const [, name = "", text = ""] = found;
  const state = STATE.exec(text)?.[1];
  return state === undefined || state.startsWith("22")
    ? `[${name}]`
    : `[${name}]${text.slice(0, 1000)}`;
}

function withoutValues(line: string): string {
  return line
    .replace(/(Subprocess exited with status \d+).*/, "$1")
    .replace(/'.*'/, "'...'")
    .trim()
    .slice(0, 500);
}
