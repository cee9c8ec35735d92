import { literal, quoted } from "../base/index.ts";
import type { Condition, Mapping, NumberField, TextField, TimeField } from "./mapping.ts";

export type FileFormat = "csv" | "jsonl" | "parquet";

/** How far ahead of now an event may lie (clock skew) before it is refused. */
const FUTURE_TOLERANCE_MS = 86_400_000;

/** A quantity or a price beyond this is a fault of the file. */
const LARGEST_NUMBER = 1e9;

/**
 * The SQL that reads a file as rows of text, numbered from 1 in file order as `#row` (JSON lines also
 * whole, as `#line`; blank ones are passed over). `columns` are names with their types.
 */
export function sourceSql(
  format: FileFormat,
  file: string,
  columns: ReadonlyMap<string, string>,
): string {
  if (format === "jsonl") {
    const lines =
      `read_csv(${literal(file)}, columns = {'line': 'VARCHAR'}, delim = E'\\x01', quote = '', escape = '', header = false, ` +
      `auto_detect = false, null_padding = true, strict_mode = false, store_rejects = true, rejects_limit = 0, max_line_size = 33554432)`;
    const fields = [...columns.keys()].map(
      (name) =>
        `CASE WHEN json_valid(line) THEN json_extract_string(line, ${literal(jsonPath(name))}) END AS ${quoted(name)}`,
    );
    const numbered = `SELECT row_number() OVER () AS "#row", line AS "#line", ${fields.join(", ")} FROM ${lines}`;
    return `SELECT * FROM (${numbered}) WHERE trim("#line") <> ''`;
  }
  const cast = [...columns].map(([name, type]) => `${textOf(name, type)} AS ${quoted(name)}`);
  return `SELECT row_number() OVER () AS "#row", ${cast.join(", ")} FROM ${readerSql(format, file)}`;
}

/** A column as text; whole floating-point numbers (pandas' ids beside gaps) without their ".0". */
function textOf(name: string, type: string): string {
  const column = quoted(name);
  return type === "DOUBLE" || type === "FLOAT"
    ? `CASE WHEN ${column} = floor(${column}) AND abs(${column}) < 1e15 THEN CAST(CAST(${column} AS BIGINT) AS VARCHAR) ELSE CAST(${column} AS VARCHAR) END`
    : `CAST(${column} AS VARCHAR)`;
}

/** The reader of a CSV or Parquet file; malformed CSV lines go to DuckDB's reject tables. */
export function readerSql(format: FileFormat, file: string): string {
  return format === "parquet"
    ? `read_parquet(${literal(file)})`
    : `read_csv(${literal(file)}, header = true, all_varchar = true, quote = '"', escape = '"', store_rejects = true, rejects_limit = 0, sample_size = 20480)`;
}

/**
 * What tells two rows of a source apart where they have no id of their own: parsed values, so that
 * another format, another order of columns or a further column of the same export is the same row.
 */
const CONTENT = [
  "event",
  "occurred_at_ms",
  "user_id",
  "anonymous_id",
  "order_id",
  "product_id",
  "quantity",
];

/**
 * The SQL that turns rows of text into event lines: one column per field, `error_field` and
 * `error_reason` where a row can't be read, `properties` with every column the mapping doesn't name.
 * `now` is in epoch milliseconds.
 */
export function stageSql(
  mapping: Mapping,
  format: FileFormat,
  unmapped: readonly string[],
  now: number,
): string {
  const value = (column: string): string => missingAsNull(quoted(column), mapping.missing);
  const fields = mapping.fields;
  const text = (spec: TextField | undefined): string => textSql(spec, value);
  const knownAt = mapping.knownAt;
  const parsed = `SELECT "#row" AS row_number,
      ${text(fields.messageId)} AS given_id,
      ${eventSql(mapping, value)} AS event,
      ${value(fields.occurredAt.column)} AS occurred_text,
      ${timeSql(fields.occurredAt, value)} AS occurred_at_ms,
      ${knownAt === "occurredAt" ? timeSql(fields.occurredAt, value) : knownAt === "now" ? `CAST(${now} AS BIGINT)` : timeSql(knownAt, value)} AS known_at_ms,
      ${text(fields.userId)} AS user_id,
      ${text(fields.anonymousId)} AS anonymous_id,
      ${text(fields.orderId)} AS order_id,
      ${text(fields.productId)} AS product_id,
      ${text(fields.productName)} AS product_name,
      ${rawNumberSql(fields.quantity, value)} AS quantity_text,
      ${numberSql(fields.quantity, value)} AS quantity,
      ${rawNumberSql(fields.price, value)} AS price_text,
      ${numberSql(fields.price, value)} AS price,
      ${text(fields.currency)} AS currency,
      ${propertiesSql(format, unmapped)} AS properties,
      ${format === "jsonl" ? 'json_valid("#line")' : "true"} AS is_readable
    FROM source_row`;
  const content = CONTENT.map((name) => `coalesce(CAST(${name} AS VARCHAR), chr(0))`).join(", ");
  return `SELECT *, coalesce(given_id, content_id) AS message_id, ${errorSql(mapping, now)} AS error
    FROM (SELECT *, md5(concat_ws(chr(31), ${content})) AS content_id FROM (${parsed}))`;
}

function jsonPath(name: string): string {
  return `$.${name
    .split(".")
    .map((part) => JSON.stringify(part))
    .join(".")}`;
}

function missingAsNull(column: string, missing: readonly string[]): string {
  const tokens = ["", ...missing].map((token) => literal(token)).join(", ");
  return `CASE WHEN trim(${column}) IN (${tokens}) THEN NULL ELSE trim(${column}) END`;
}

function textSql(spec: TextField | undefined, value: (column: string) => string): string {
  if (spec === undefined) {
    return "CAST(NULL AS VARCHAR)";
  }
  return "value" in spec ? literal(spec.value) : value(spec.column);
}

function rawNumberSql(spec: NumberField | undefined, value: (column: string) => string): string {
  return spec === undefined ? "CAST(NULL AS VARCHAR)" : value(spec.column);
}

function numberSql(spec: NumberField | undefined, value: (column: string) => string): string {
  if (spec === undefined) {
    return "CAST(NULL AS DOUBLE)";
  }
  const number = `TRY_CAST(${value(spec.column)} AS DOUBLE)`;
  const finite = `CASE WHEN isfinite(${number}) THEN ${number} END`;
  return spec.absolute ? `abs(${finite})` : finite;
}

/** Epoch milliseconds, or NULL where the text is no time of the stated form. */
function timeSql(spec: TimeField, value: (column: string) => string): string {
  const text = value(spec.column);
  if (spec.epoch !== undefined) {
    const factor = { seconds: "* 1000", milliseconds: "", microseconds: "/ 1000" }[spec.epoch];
    return `TRY_CAST(floor(TRY_CAST(${text} AS DOUBLE) ${factor}) AS BIGINT)`;
  }
  if (spec.format !== undefined && /%[zZ]/.test(spec.format)) {
    return `epoch_ms(try_strptime(${text}, ${literal(spec.format)}))`;
  }
  const local =
    spec.format === undefined
      ? `TRY_CAST(${text} AS TIMESTAMP)`
      : `try_strptime(${text}, ${literal(spec.format)})`;
  const hasZone = `regexp_matches(${text}, '[0-9:](Z|[+-][0-9]{2}(:?[0-9]{2})?)$') AND ${text} LIKE '%:%'`;
  const inZone =
    spec.zone === undefined
      ? "CAST(NULL AS TIMESTAMPTZ)"
      : `timezone(${literal(spec.zone)}, ${local})`;
  if (spec.format !== undefined) {
    return `epoch_ms(${inZone})`;
  }
  return `epoch_ms(CASE WHEN ${hasZone} THEN TRY_CAST(${text} AS TIMESTAMPTZ) ELSE ${inZone} END)`;
}

function eventSql(mapping: Mapping, value: (column: string) => string): string {
  const event = mapping.event;
  if (!Array.isArray(event)) {
    const name = value(event.column);
    const cases = Object.entries(event.names).map(
      ([theirs, ours]) => `WHEN ${name} = ${literal(theirs)} THEN ${literal(ours)}`,
    );
    return cases.length === 0 ? name : `CASE ${cases.join(" ")} ELSE ${name} END`;
  }
  const cases = event.map(
    (rule) =>
      `WHEN ${rule.when === undefined ? "true" : conditionSql(rule.when, value)} THEN ${literal(rule.name)}`,
  );
  return `CASE ${cases.join(" ")} END`;
}

function conditionSql(when: Condition, value: (column: string) => string): string {
  const column = value(when.column);
  if (when.equals !== undefined) {
    return `${column} = ${literal(when.equals)}`;
  }
  if (when.oneOf !== undefined) {
    return `${column} IN (${when.oneOf.map((one) => literal(one)).join(", ")})`;
  }
  if (when.startsWith !== undefined) {
    return `starts_with(${column}, ${literal(when.startsWith)})`;
  }
  if (when.matches !== undefined) {
    return `regexp_matches(${column}, ${literal(when.matches)})`;
  }
  if (when.lessThan !== undefined) {
    return `TRY_CAST(${column} AS DOUBLE) < ${when.lessThan}`;
  }
  if (when.greaterThan !== undefined) {
    return `TRY_CAST(${column} AS DOUBLE) > ${when.greaterThan}`;
  }
  return `${column} IS ${when.isMissing === true ? "" : "NOT "}NULL`;
}

function propertiesSql(format: FileFormat, unmapped: readonly string[]): string {
  if (format === "jsonl") {
    return '"#line"';
  }
  if (unmapped.length === 0) {
    return "CAST(NULL AS VARCHAR)";
  }
  const pairs = unmapped.map((name) => `${literal(name)}, ${quoted(name)}`);
  return `CAST(json_object(${pairs.join(", ")}) AS VARCHAR)`;
}

/** `{field, reason}` of the first field that can't be read, or NULL. */
function errorSql(mapping: Mapping, now: number): string {
  const fields = mapping.fields;
  const reason = (test: string, field: string, text: string): string =>
    `WHEN ${test} THEN {'field': ${literal(field)}, 'reason': ${text}}`;
  const expectedTime = `'expected a time (${timeExpectation(fields.occurredAt)}), got "' || occurred_text || '"'`;
  const expectedNumber = (column: string): string =>
    `'expected a number, got "' || ${column} || '"'`;
  return `CASE
    ${reason("NOT is_readable", "line", "'not valid JSON'")}
    ${reason("occurred_text IS NULL", "occurredAt", "'missing'")}
    ${reason("occurred_at_ms IS NULL", "occurredAt", expectedTime)}
    ${reason(`occurred_at_ms > ${now + FUTURE_TOLERANCE_MS}`, "occurredAt", `'lies in the future: ' || occurred_text`)}
    ${reason("known_at_ms IS NULL", "knownAt", "'missing or not a time'")}
    ${reason("event IS NULL", "event", "'missing, or no rule of the mapping matches'")}
    ${mapping.fields.messageId === undefined ? "" : reason("given_id IS NULL", "messageId", "'missing'")}
    ${reason("quantity_text IS NOT NULL AND quantity IS NULL", "quantity", expectedNumber("quantity_text"))}
    ${reason("price_text IS NOT NULL AND price IS NULL", "price", expectedNumber("price_text"))}
    ${reason(`abs(quantity) > ${LARGEST_NUMBER}`, "quantity", `'impossible value: ' || quantity_text`)}
    ${reason(`abs(price) > ${LARGEST_NUMBER}`, "price", `'impossible value: ' || price_text`)}
    END`;
}

function timeExpectation(spec: TimeField): string {
  if (spec.epoch !== undefined) {
    return `epoch ${spec.epoch}`;
  }
  const form = spec.format ?? "ISO 8601";
  return (spec.zone === undefined ? `${form} with a zone` : `${form} in ${spec.zone}`).replaceAll(
    "'",
    "''",
  );
}
