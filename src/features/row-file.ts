import { existsSync } from "node:fs";
import { type DuckDb, literal, messageOf, quoted, ServiceError } from "../base/index.ts";
import type { RowEntity } from "./feature-service.ts";
import { ENTITY_KEYS } from "./feature-view.ts";

/** The column that numbers the rows of a file from 1. */
export const ROW = quoted("#row");

/** The names that a row's instant may have; the second is Feast's. */
const TIME_COLUMNS = ["timestamp", "event_timestamp", "cutoff_ms"] as const;

/** What a file of rows has, its rows in the table `given` with their number in `#row`. */
export interface GivenRows {
  /** The file's own columns, in their order. */
  readonly columns: readonly string[];
  readonly types: ReadonlyMap<string, string>;
  readonly timeColumn: string;
  /** `customer_id`, or columns of identifiers, the strongest first; none where rows are of no customer. */
  readonly customerColumns: readonly string[];
  /** Columns of text that are no names of anything, though they may look like numbers. */
  readonly others: readonly string[];
}

/**
 * Reads a CSV, JSON lines or Parquet file (by its name) of rows of an entity into the table `given`. Texts
 * of CSV and JSON lines stay as they are. `identifierTypes` are the columns that may name a customer.
 * Throws `invalid-input` where a column is missing or stands twice.
 */
export async function readRowFile(
  duckdb: DuckDb,
  file: string,
  entity: RowEntity,
  identifierTypes: readonly string[],
): Promise<GivenRows> {
  if (!existsSync(file)) {
    throw new ServiceError("invalid-input", `rows: there is no file ${file}`, { field: "rows" });
  }
  const from = await readerOf(duckdb, file);
  await understood(
    file,
    duckdb.run(
      `CREATE OR REPLACE TEMP TABLE given AS SELECT row_number() OVER () AS ${ROW}, * FROM ${from}`,
    ),
  );
  const described = (await duckdb.rows("DESCRIBE given")).slice(1);
  const types = new Map(
    described.map((row) => [String(row["column_name"]), String(row["column_type"])]),
  );
  const columns = [...types.keys()];
  const keys = ENTITY_KEYS[entity];
  for (const key of keys.filter((name) => name !== "customer_id")) {
    if (!types.has(key)) {
      throw missing(
        `a column ${key}, since these features are of a ${spokenEntity(entity)}`,
        key,
        columns,
      );
    }
  }
  const names = new Set<string>([...identifierTypes, "product", "category"]);
  return {
    columns,
    types,
    others: columns.filter((name) => types.get(name) === "VARCHAR" && !names.has(name)),
    timeColumn: timeColumnOf(columns),
    customerColumns: keys.includes("customer_id") ? customersIn(columns, identifierTypes) : [],
  };
}

function spokenEntity(entity: RowEntity): string {
  return entity === "pair" ? "customer and product" : entity.replace("_", " and ");
}

function timeColumnOf(columns: readonly string[]): string {
  const found = TIME_COLUMNS.filter((name) => columns.includes(name));
  const [first] = found;
  if (first === undefined) {
    throw missing(
      `a column ${TIME_COLUMNS.join(", ")} with each row's instant`,
      "timestamp",
      columns,
    );
  }
  if (found.length > 1) {
    throw new ServiceError(
      "invalid-input",
      `rows: expected one column with each row's instant, found ${found.join(" and ")}`,
      { field: first },
    );
  }
  return first;
}

function customersIn(
  columns: readonly string[],
  identifierTypes: readonly string[],
): readonly string[] {
  if (columns.includes("customer_id")) {
    return ["customer_id"];
  }
  const found = identifierTypes.filter((type) => columns.includes(type));
  if (found.length === 0) {
    throw missing(
      `a column customer_id or one named as a type of identifier (${identifierTypes.join(", ")})`,
      "customer_id",
      columns,
    );
  }
  return found;
}

function missing(expected: string, field: string, columns: readonly string[]): ServiceError {
  return new ServiceError(
    "invalid-input",
    `rows: expected ${expected}; found ${columns.join(", ")}`,
    {
      field,
    },
  );
}

async function understood<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const [said = ""] = messageOf(error)
      .replace(/^DuckDB: /, "")
      .split("\n");
    throw new ServiceError("invalid-input", `rows: cannot read ${file}: ${said}`, {
      field: "rows",
      cause: error,
    });
  }
}

/** The file as a table expression. */
async function readerOf(duckdb: DuckDb, file: string): Promise<string> {
  const [, format = ""] = /\.(csv|jsonl|ndjson|parquet)(?:\.gz)?$/.exec(file.toLowerCase()) ?? [];
  switch (format) {
    case "csv":
      return `read_csv(${literal(file)}, header = true, all_varchar = true, quote = '"', escape = '"')`;
    case "parquet":
      return `read_parquet(${literal(file)})`;
    case "jsonl":
    case "ndjson":
      return jsonReaderOf(duckdb, file);
    default:
      throw new ServiceError(
        "invalid-input",
        `rows: expected a name ending in .csv, .jsonl, .ndjson or .parquet, got "${file}"`,
        { field: "rows" },
      );
  }
}

/** What looks like a time or an id in JSON stays the text it was. */
const KEPT_AS_TEXT = /^(DATE|TIME|UUID|JSON$)/;

async function jsonReaderOf(duckdb: DuckDb, file: string): Promise<string> {
  const from = `read_json(${literal(file)}, format = 'newline_delimited'`;
  const described = await understood(
    file,
    duckdb.rows(`DESCRIBE SELECT * FROM ${from}, sample_size = -1)`),
  );
  const columns = described.map((row) => {
    const type = String(row["column_type"]);
    return `${quoted(String(row["column_name"]))}: ${literal(KEPT_AS_TEXT.test(type) ? "VARCHAR" : type)}`;
  });
  return `${from}, columns = {${columns.join(", ")}})`;
}

/** A cell as text; whole floating-point numbers without their ".0", as pandas writes numbers beside gaps. */
export function cellTextSql(column: string, types: ReadonlyMap<string, string>): string {
  const cell = quoted(column);
  const type = types.get(column) ?? "VARCHAR";
  const text =
    type === "DOUBLE" || type === "FLOAT"
      ? `CASE WHEN ${cell} = floor(${cell}) AND abs(${cell}) < 1e15 THEN CAST(CAST(${cell} AS BIGINT) AS VARCHAR) ELSE CAST(${cell} AS VARCHAR) END`
      : `CAST(${cell} AS VARCHAR)`;
  return `nullif(trim(${text}), '')`;
}

/**
 * The type of columns of text that hold nothing but numbers in the form that a number has, so that `007`
 * stays text.
 */
export async function numbersAmong(
  duckdb: DuckDb,
  { others }: GivenRows,
): Promise<ReadonlyMap<string, string>> {
  if (others.length === 0) {
    return new Map();
  }
  const isAll = (column: string, pattern: string): string =>
    `bool_and(regexp_full_match(${quoted(column)}, '${pattern}'))`;
  const [row = {}] = await duckdb.rows(
    `SELECT ${others.flatMap((column, index) => [`${isAll(column, WHOLE)} AS w${index}`, `${isAll(column, DECIMAL)} AS d${index}`]).join(", ")} FROM given`,
  );
  const typeOf = (index: number): string | undefined =>
    row[`w${index}`] === true ? "BIGINT" : row[`d${index}`] === true ? "DOUBLE" : undefined;
  return new Map(
    others.flatMap((column, index) => {
      const type = typeOf(index);
      return type === undefined ? [] : [[column, type] as const];
    }),
  );
}

const WHOLE = "-?(0|[1-9]\\d{0,17})";
const DECIMAL = "-?(0|[1-9]\\d*)(\\.\\d+)?([eE][-+]?\\d{1,2})?";

/** Fewer digits are taken for a mistake: epoch seconds, or a date in digits. */
const EPOCH_MS = "\\d{12,15}";
const ZONED =
  "\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}(:?\\d{2})?)";

/** A cell's instant in epoch ms, fractions of a millisecond left out; NULL where it can't be read. */
export function instantSql(column: string, types: ReadonlyMap<string, string>): string {
  const type = types.get(column) ?? "VARCHAR";
  if (/^(TIMESTAMP|DATE)/.test(type)) {
    const wide = type === "TIMESTAMP WITH TIME ZONE" ? "TIMESTAMPTZ" : "TIMESTAMP";
    return sinceEpoch(`epoch_ms(CAST(${quoted(column)} AS ${wide}))`);
  }
  const text = cellTextSql(column, types);
  const zoned = `regexp_replace(${text}, '^(.{10}[T ]\\d{2}:\\d{2})(Z|[+-].*)$', '\\1:00\\2')`;
  return `CASE
    WHEN regexp_full_match(${text}, '\\d{4}-\\d{2}-\\d{2}') THEN ${sinceEpoch(`epoch_ms(CAST(TRY_CAST(${text} AS DATE) AS TIMESTAMP))`)}
    WHEN regexp_full_match(${text}, '${ZONED}') THEN ${sinceEpoch(`epoch_ms(TRY_CAST(${zoned} AS TIMESTAMPTZ))`)}
    WHEN regexp_full_match(${text}, '${EPOCH_MS}') THEN TRY_CAST(${text} AS BIGINT) END`;
}

function sinceEpoch(sql: string): string {
  return `nullif(greatest(${sql}, -1), -1)`;
}
