import { literal, quoted } from "../base/index.ts";

export type FileFormat = "csv" | "jsonl" | "parquet";

/** What a file's rows are: its columns with their types, none of JSON lines but `line`. */
export interface FileShape {
  readonly format: FileFormat;
  readonly file: string;
  readonly types: ReadonlyMap<string, string>;
}

/** The reader of a file as it is; malformed lines go to DuckDB's reject tables. */
export function readerSql(format: FileFormat, file: string): string {
  const rejects = "store_rejects = true, rejects_limit = 0";
  switch (format) {
    case "parquet":
      return `read_parquet(${literal(file)})`;
    case "csv":
      return `read_csv(${literal(file)}, header = true, all_varchar = true, quote = '"', escape = '"', ${rejects}, sample_size = 20480)`;
    case "jsonl":
      return (
        `read_csv(${literal(file)}, columns = {'line': 'VARCHAR'}, delim = E'\\x01', quote = '', escape = '', header = false, ` +
        `auto_detect = false, null_padding = true, strict_mode = false, ${rejects}, max_line_size = 33554432)`
      );
  }
}

const NESTED = /^(STRUCT|MAP|UNION|JSON)|\[\d*\]$/;

/** A column as text; whole floating-point numbers (pandas' ids beside gaps) without their ".0", lists and structs as JSON. */
function textOf(column: string, type: string): string {
  if (type === "VARCHAR") {
    return column;
  }
  if (NESTED.test(type)) {
    return `CAST(to_json(${column}) AS VARCHAR)`;
  }
  return type === "DOUBLE" || type === "FLOAT"
    ? `CASE WHEN ${column} = floor(${column}) AND abs(${column}) < 1e15 THEN CAST(CAST(${column} AS BIGINT) AS VARCHAR) ELSE CAST(${column} AS VARCHAR) END`
    : `CAST(${column} AS VARCHAR)`;
}

/** A column as a member of a JSON object: lists and structs as they are, others as text. */
export function jsonValueSql(column: string, type: string): string {
  return NESTED.test(type) ? `to_json(${column})` : textOf(column, type);
}

/** The columns of a list inside the row, outermost first: `refunds`, `refund_line_items`. */
export function levelsOf(each: string): readonly string[] {
  return each.split("[].");
}

/** The prefix of a path into the element of a level: `refunds[].refund_line_items[].`. */
function prefixOf(levels: readonly string[], level: number): string {
  return levels
    .slice(0, level + 1)
    .map((name) => `${name}[].`)
    .join("");
}

/** What a path starts from: the SQL of a JSON value, and the path inside it; undefined for a whole column. */
interface Place {
  readonly json: string;
  readonly path: string;
}

/**
 * The SQL of what a mapping's column names hold, as text. A name is a column, or a dotted path into a
 * column (or a JSON line); `items[].sku` is inside the element that `lines` goes through, and
 * `params[key=page].value` inside the first element of a list whose key has that text.
 */
export function cellSql(name: string, shape: FileShape, levels: readonly string[]): string {
  const type = shape.types.get(name);
  if (shape.format !== "jsonl" && type !== undefined) {
    return textOf(quoted(name), type);
  }
  const { json, path } = placeOf(name, shape, levels);
  return jsonTextSql(json, path);
}

/** Whether a JSON line holds it by a plain path, so that several are read at once. */
export function isPlainPath(name: string, shape: FileShape, levels: readonly string[]): boolean {
  return (
    shape.format === "jsonl" &&
    !name.includes("[") &&
    !levels.some((_, level) => name.startsWith(prefixOf(levels, level)))
  );
}

/** The top-level column that a name needs; undefined for JSON lines. */
export function neededColumn(name: string, shape: FileShape): string | undefined {
  if (shape.format === "jsonl") {
    return undefined;
  }
  return shape.types.has(name) ? name : (/^[^.[]+/.exec(name)?.[0] ?? name);
}

function placeOf(name: string, shape: FileShape, levels: readonly string[]): Place {
  for (let level = levels.length - 1; level >= 0; level--) {
    const prefix = prefixOf(levels, level);
    if (name.startsWith(prefix)) {
      return { json: quoted(`#e${level}`), path: name.slice(prefix.length) };
    }
  }
  if (shape.format === "jsonl") {
    return { json: `CASE WHEN "#ok" THEN line END`, path: name };
  }
  const column = neededColumn(name, shape) ?? name;
  const json = columnJsonSql(column, shape);
  const rest = name.slice(column.length);
  return { json, path: rest.startsWith("[") ? rest : rest.slice(1) };
}

/** A column as JSON: text only where it is valid. */
function columnJsonSql(column: string, shape: FileShape): string {
  const type = shape.types.get(column) ?? "VARCHAR";
  return type === "VARCHAR"
    ? `CASE WHEN json_valid(${quoted(column)}) THEN CAST(${quoted(column)} AS JSON) END`
    : `to_json(${quoted(column)})`;
}

/** The elements of `each` as a list of JSON, from the level above. */
export function elementsSql(each: string, level: number, shape: FileShape): string {
  const name = levelsOf(each)[level] ?? each;
  const place =
    level === 0 ? placeOf(name, shape, []) : { json: quoted(`#e${level - 1}`), path: name };
  return `json_extract(${place.json}, ${literal(`${jsonPath(place.path)}[*]`)})`;
}

/** `a.b`, or `a[key=x].b` by the first element of `a` whose `key` is the text x. */
function jsonTextSql(json: string, path: string): string {
  const keyed = /^([^[]*)\[([\w.]+)=([^\]]*)\](?:\.(.*))?$/.exec(path);
  if (keyed === null) {
    return `json_extract_string(${json}, ${literal(jsonPath(path))})`;
  }
  const [, list = "", key = "", value = "", rest = ""] = keyed;
  const element = `list_filter(json_extract(${json}, ${literal(`${jsonPath(list)}[*]`)}), lambda e: json_extract_string(e, ${literal(jsonPath(key))}) = ${literal(value)})[1]`;
  return jsonTextSql(element, rest);
}

/** A dotted path as DuckDB writes it. */
export function jsonPath(name: string): string {
  return name === ""
    ? "$"
    : `$.${name
        .split(".")
        .map((part) => JSON.stringify(part))
        .join(".")}`;
}
