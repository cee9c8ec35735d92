import { literal } from "../base/index.ts";
import type { Condition, Decimal, NumberField, TextField, TimeField } from "./mapping-fields.ts";
import { columnsOf } from "./mapping-fields.ts";

/** The SQL of a column's cleaned text, NULL where it has nothing. */
export type CellOf = (column: string) => string;

/** The first of a field's columns that has something. */
export function firstSql(spec: object, cell: CellOf): string {
  const cells = columnsOf(spec).map((column) => cell(column));
  return cells.length === 1 ? (cells[0] ?? "NULL") : `coalesce(${cells.join(", ")})`;
}

/** A field's text, with its prefix; NULL where there is none. */
export function textSql(spec: TextField | undefined, cell: CellOf): string {
  if (spec === undefined) {
    return "CAST(NULL AS VARCHAR)";
  }
  if ("value" in spec) {
    return literal(spec.value);
  }
  const text = "join" in spec ? joinedSql(spec.join, cell) : presentSql(spec, cell);
  return spec.prefix === undefined ? text : `${literal(spec.prefix)} || ${text}`;
}

/** Columns joined by "-", a blank one as nothing; NULL where all are blank. */
function joinedSql(columns: readonly string[], cell: CellOf): string {
  const cells = columns.map((column) => cell(column));
  return `CASE WHEN coalesce(${cells.join(", ")}) IS NOT NULL THEN ${cells.map((one) => `coalesce(${one}, '')`).join(" || '-' || ")} END`;
}

/** The first column that has something besides the field's own texts for nothing. */
export function presentSql(
  spec: { readonly column: string | string[]; readonly missing?: string[] | undefined },
  cell: CellOf,
): string {
  const { missing } = spec;
  if (missing === undefined) {
    return firstSql(spec, cell);
  }
  const texts = missing.map((text) => literal(text)).join(", ");
  return firstSql(
    spec,
    (column) => `CASE WHEN ${cell(column)} NOT IN (${texts}) THEN ${cell(column)} END`,
  );
}

/** The text a number is read from, its decimal a point. */
export function rawNumberSql(
  spec: NumberField | undefined,
  cell: CellOf,
  decimal: Decimal,
): string {
  return spec === undefined
    ? "CAST(NULL AS VARCHAR)"
    : pointSql(firstSql(spec, cell), spec.decimal ?? decimal);
}

/** A number's text with a point for its decimal; with a comma wanted, what isn't written so is no number. */
function pointSql(text: string, decimal: Decimal): string {
  return decimal === ","
    ? `CASE WHEN regexp_full_match(${text}, '[+-]?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]*)?|[+-]?,[0-9]+')
         THEN replace(replace(${text}, '.', ''), ',', '.') ELSE ${text} || ' (the decimal is a comma)' END`
    : text;
}

/** A finite number, or NULL. */
export function numberSql(spec: NumberField | undefined, text: string): string {
  if (spec === undefined) {
    return "CAST(NULL AS DOUBLE)";
  }
  const number = `TRY_CAST(${text} AS DOUBLE)`;
  const finite = `CASE WHEN isfinite(${number}) THEN ${number} END`;
  return spec.absolute ? `abs(${finite})` : finite;
}

/** Epoch milliseconds, or NULL where the text is no time of the stated form. */
export function timeSql(spec: TimeField, text: string): string {
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
  const inZone =
    spec.zone === undefined
      ? "CAST(NULL AS TIMESTAMPTZ)"
      : `timezone(${literal(spec.zone)}, ${local})`;
  if (spec.format !== undefined) {
    return `epoch_ms(${inZone})`;
  }
  // Text that ends in Z is the common case, and the only one that needs no search.
  const isUtc = `suffix(${text}, 'Z') AND contains(${text}, ':') AND NOT suffix(${text}, ' Z')`;
  const hasOffset = `regexp_matches(${text}, '[0-9:][+-][0-9]{2}(:?[0-9]{2})?$') AND contains(${text}, ':')`;
  return `CASE WHEN ${isUtc} THEN epoch_ms(TRY_CAST(${text} AS TIMESTAMP))
    WHEN ${hasOffset} THEN epoch_ms(TRY_CAST(${text} AS TIMESTAMPTZ)) ELSE epoch_ms(${inZone}) END`;
}

/** What an error says was expected of a time. */
export function timeExpectation(spec: TimeField): string {
  if (spec.epoch !== undefined) {
    return `epoch ${spec.epoch}`;
  }
  const form = spec.format ?? "ISO 8601";
  return (spec.zone === undefined ? `${form} with a zone` : `${form} in ${spec.zone}`).replaceAll(
    "'",
    "''",
  );
}

/** Whether a row meets a condition; where the column has nothing only `noneOf` and `isMissing` can be met. */
export function conditionSql(when: Condition, cell: CellOf, decimal?: Decimal): string {
  const column = firstSql(when, cell);
  if (when.equals !== undefined) {
    return `${column} = ${literal(when.equals)}`;
  }
  if (when.oneOf !== undefined) {
    return `${column} IN (${when.oneOf.map((one) => literal(one)).join(", ")})`;
  }
  if (when.noneOf !== undefined) {
    return `coalesce(${column} NOT IN (${when.noneOf.map((one) => literal(one)).join(", ")}), true)`;
  }
  if (when.startsWith !== undefined) {
    return `starts_with(${column}, ${literal(when.startsWith)})`;
  }
  if (when.matches !== undefined) {
    return `regexp_matches(${column}, ${literal(when.matches)})`;
  }
  if (when.lessThan !== undefined) {
    return `TRY_CAST(${pointSql(column, decimal)} AS DOUBLE) < ${when.lessThan}`;
  }
  if (when.greaterThan !== undefined) {
    return `TRY_CAST(${pointSql(column, decimal)} AS DOUBLE) > ${when.greaterThan}`;
  }
  return `${column} IS ${when.isMissing === true ? "" : "NOT "}NULL`;
}
