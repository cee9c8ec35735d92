import { literal, quoted } from "../base/index.ts";
import { deviceSql } from "./device.ts";
import { errorSql } from "./error-sql.ts";
import {
  type CellOf,
  conditionSql,
  firstSql,
  numberSql,
  rawNumberSql,
  textSql,
} from "./field-sql.ts";
import { mappedColumns, type Part } from "./mapping.ts";
import { columnsOf, type NumberField } from "./mapping-fields.ts";
import {
  channelSql,
  consentSql,
  type IdentifierSlot,
  rawIdentifiersSql,
  traitsSql,
} from "./person-sql.ts";
import {
  cellSql,
  elementsSql,
  type FileShape,
  isPlainPath,
  jsonPath,
  jsonValueSql,
  levelsOf,
} from "./row-sql.ts";
import { isStatePart, stateKind } from "./state-row.ts";
import { timeColumns } from "./time-columns.ts";

/** More kinds of events than a mapping can name. */
const PARTS_MAX = 64;

/** What stages the rows of a file by one part of a mapping. */
export interface StagePart {
  readonly part: Part;
  /** 0 for the main part, which also speaks for what can't be read at all. */
  readonly index: number;
  readonly shape: FileShape;
  readonly slots: readonly IdentifierSlot[];
  /** Top-level columns that are kept under `properties`. */
  readonly unmapped: readonly string[];
  /** In epoch milliseconds. */
  readonly now: number;
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
 * The SQL that turns rows into event lines: a column per field that the part has, `message_key` (its
 * own id, or the checksum of its content), `identifier_texts` where there are slots, `error` with
 * field and reason and `content` where a row can't be read. `rows` is the reader of the file (then rows
 * are told apart by their place in the result), or `isNumbered` a table with their number as `#row`.
 */
export function stageSql(stage: StagePart, rows: string, isNumbered: boolean): string {
  const { part, shape } = stage;
  const cells = new Map(
    [...mappedColumns(part).keys()].map((name, index) => [name, `"#${index}"`]),
  );
  const cell: CellOf = (name) => cells.get(name) ?? "NULL";
  const filled = filledSql(part, cell, cellsSql(stage, rows, cells));
  const where = (part.where ?? []).map((condition) => conditionSql(condition, cell, part.decimal));
  const unreadable = shape.format === "jsonl" && stage.index === 0 ? 'NOT "#ok" OR ' : "";
  const taken =
    where.length === 0
      ? filled
      : `SELECT * FROM (${filled}) WHERE ${unreadable}(${where.join(" AND ")})`;
  const columns = fieldColumns(stage, cell, isNumbered);
  const carried = [...shape.types.keys()].map(
    (name, index) => [`"#r${index}"`, quoted(name)] as const,
  );
  const fields = [
    ...columns,
    ...(shape.format === "jsonl" ? [["line_text", "line"] as const] : carried),
  ]
    .map(([name, sql]) => `${sql} AS ${name}`)
    .join(",\n      ");
  const kept = columns.map(([name]) => name).filter((name) => !INNER.has(name));
  return `SELECT ${kept.join(", ")}, error, ${keySql(stage)} AS message_key,
      CASE WHEN error IS NOT NULL THEN ${contentSql(shape)} END AS content
    FROM (SELECT *, ${errorSql(stage)} AS error FROM (SELECT ${fields} FROM (${taken})))`;
}

/** Columns on the way to others. */
const INNER: ReadonlySet<string> = new Set([
  "given_id",
  "occurred_text",
  "quantity_text",
  "price_text",
  "cost_text",
  "is_readable",
]);

/** Rows with every mapped column's cleaned text as `#0`, `#1` and so on. */
function cellsSql(stage: StagePart, rows: string, cells: ReadonlyMap<string, string>): string {
  const { part, shape } = stage;
  const levels = part.lines === undefined ? [] : levelsOf(part.lines.each);
  const plain = [...cells.keys()].filter((name) => isPlainPath(name, shape, levels));
  const paths = plain.map((name) => literal(jsonPath(name))).join(", ");
  const json =
    shape.format !== "jsonl"
      ? rows
      : `(SELECT *, ${plain.length === 0 ? "NULL" : `CASE WHEN "#ok" THEN json_extract_string(line, [${paths}]) END`} AS "#values"
         FROM (SELECT *, coalesce(json_valid(line), false) AS "#ok" FROM ${rows})
         WHERE ${stage.index === 0 ? "true" : '"#ok"'})`;
  const exploded = explodedSql(stage, `SELECT * FROM ${json}`);
  const columns = [...cells].map(([name, alias]) => {
    const place = plain.indexOf(name);
    const text = place === -1 ? cellSql(name, shape, levels) : `"#values"[${place + 1}]`;
    return `${cleaned(text, part.missing)} AS ${alias}`;
  });
  return `SELECT *, ${columns.join(", ")} FROM (${exploded})`;
}

/** A row per element of the list that `lines` names, numbered within the innermost list as `#line`. */
function explodedSql({ part, shape, index }: StagePart, rows: string): string {
  if (part.lines === undefined) {
    return rows;
  }
  const { each, whenEmpty } = part.lines;
  const levels = levelsOf(each);
  return levels.reduce((inner, _, level) => {
    const isLast = level === levels.length - 1;
    const kept = [
      ...(isLast && whenEmpty === "one-line" ? [`coalesce(len("#l${level}"), 0) = 0`] : []),
      ...(shape.format === "jsonl" && index === 0 ? ['NOT "#ok"'] : []),
    ];
    const list =
      kept.length > 0
        ? `CASE WHEN ${kept.join(" OR ")} THEN [CAST(NULL AS JSON)] ELSE "#l${level}" END`
        : `"#l${level}"`;
    const number = isLast ? `, unnest(range(len(${list}))) AS "#line"` : "";
    return `SELECT *, unnest(${list}) AS "#e${level}"${number}
      FROM (SELECT *, ${elementsSql(each, level, shape)} AS "#l${level}" FROM (${inner}))`;
  }, rows);
}

function cleaned(text: string, missing: readonly string[]): string {
  // Only spaces are looked for where all is ASCII: trim reads every character.
  const trimmed = `CASE WHEN strlen(${text}) <> length(${text}) OR prefix(${text}, ' ') OR suffix(${text}, ' ') THEN trim(${text}) ELSE ${text} END`;
  return missing.length === 0
    ? `nullif(${trimmed}, '')`
    : `CASE WHEN trim(${text}) NOT IN (${["", ...missing].map((token) => literal(token)).join(", ")}) THEN trim(${text}) END`;
}

/** Rows of one event: blank cells of order-level columns are the first row's, `#line` their number. */
function filledSql(part: Part, cell: CellOf, rows: string): string {
  if (part.groupBy === undefined) {
    return rows;
  }
  const { column, fill } = part.groupBy;
  const window = `(PARTITION BY ${cell(column)} ORDER BY "#row")`;
  const replaced = fill.map(
    (name) => `coalesce(${cell(name)}, first_value(${cell(name)}) OVER ${window}) AS ${cell(name)}`,
  );
  return `SELECT * ${replaced.length === 0 ? "" : `REPLACE (${replaced.join(", ")})`},
      row_number() OVER ${window} - 1 AS "#line", first_value("#row") OVER ${window} AS "#first" FROM (${rows})`;
}

function fieldColumns(stage: StagePart, cell: CellOf, isNumbered: boolean): [string, string][] {
  const { part, shape, slots } = stage;
  const { fields } = part;
  const columns: [string, string][] = [
    ["given_id", textSql(fields.messageId, cell)],
    ["type", literal(part.type ?? "track")],
    ["event", part.type === "identify" ? "CAST(NULL AS VARCHAR)" : eventSql(part, cell)],
    ...timeColumns(stage, cell),
    ["user_id", textSql(fields.userId, cell)],
    ["anonymous_id", textSql(fields.anonymousId, cell)],
    ["order_id", textSql(fields.orderId, cell)],
    ["product_id", textSql(fields.productId, cell)],
    ["product_name", textSql(fields.productName, cell)],
    ["quantity_text", numberCell(stage, fields.quantity, cell)],
    ["quantity", numberSql(fields.quantity, numberCell(stage, fields.quantity, cell))],
    ["price_text", numberCell(stage, fields.price, cell)],
    ["price", numberSql(fields.price, numberCell(stage, fields.price, cell))],
    ["cost_text", numberCell(stage, fields.cost, cell)],
    ["currency", textSql(fields.currency, cell)],
    ["is_readable", shape.format === "jsonl" ? '"#ok"' : "true"],
    ...optionalColumns(stage, cell),
  ];
  if (slots.length > 0) {
    columns.push(["identifier_texts", rawIdentifiersSql(slots, stage.index, cell)]);
  }
  if (isNumbered) {
    const first = part.groupBy === undefined ? '"#row"' : '"#first"';
    columns.push(["row_number", '"#row"'], ["line", isLined(part) ? '"#line"' : "0"]);
    columns.push(
      ["part", String(stage.index)],
      ["seq", `${first} * ${PARTS_MAX} + ${stage.index}`],
    );
  }
  if (shape.format === "jsonl") {
    columns.push(["is_blank", "coalesce(trim(line), '') = ''"]);
  }
  return columns;
}

const NUMERIC = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL.*)$/;

/** What a number is read from: a column of numbers as it is, else text. */
function numberCell(
  { part, shape }: StagePart,
  spec: NumberField | undefined,
  cell: CellOf,
): string {
  const [name = "", ...others] = spec === undefined ? [] : columnsOf(spec);
  const isNumeric = NUMERIC.test(shape.types.get(name) ?? "") && others.length === 0;
  return isNumeric && part.missing.length === 0
    ? quoted(name)
    : rawNumberSql(spec, cell, part.decimal);
}

function isLined(part: Part): boolean {
  return part.lines !== undefined || part.groupBy !== undefined;
}

/** Columns that only some mappings have; the first line of an event speaks for all. */
function optionalColumns(stage: StagePart, cell: CellOf): [string, string][] {
  const { part, unmapped, shape } = stage;
  const { channel, campaign, category, device, cost, traits, consent } = part.fields;
  const onFirst = (sql: string): string =>
    isLined(part) ? `CASE WHEN "#line" = 0 THEN ${sql} END` : sql;
  const event = part.type === "identify" ? "NULL" : eventSql(part, cell);
  const properties = propertiesSql(shape, unmapped);
  const columns: [string, string | undefined][] = [
    ["channel", channelSql(channel, part.type === "identify", event, cell)],
    ["campaign", campaign === undefined ? undefined : textSql(campaign, cell)],
    ["category", category === undefined ? undefined : textSql(category, cell)],
    ["device", device === undefined ? undefined : deviceSql(textSql(device, cell))],
    [
      "cost",
      cost === undefined ? undefined : onFirst(numberSql(cost, numberCell(stage, cost, cell))),
    ],
    ["traits", traits === undefined ? undefined : onFirst(traitsSql(traits, cell))],
    ["consent", consent === undefined ? undefined : onFirst(consentSql(consent, cell))],
    // Rows of one event keep what each of them holds.
    ["properties", part.lines === undefined ? properties : properties && onFirst(properties)],
  ];
  return columns.filter((column): column is [string, string] => column[1] !== undefined);
}

function eventSql(part: Part, cell: CellOf): string {
  const event = part.event ?? [];
  if (!Array.isArray(event)) {
    const name = firstSql(event, cell);
    const cases = Object.entries(event.names).map(
      ([theirs, ours]) => `WHEN ${literal(theirs)} THEN ${literal(ours)}`,
    );
    return cases.length === 0 ? name : `CASE ${name} ${cases.join(" ")} ELSE ${name} END`;
  }
  const cases = event.map(
    (rule) =>
      `WHEN ${rule.when === undefined ? "true" : conditionSql(rule.when, cell, part.decimal)} THEN ${literal(rule.name)}`,
  );
  return `CASE ${cases.join(" ")} END`;
}

function propertiesSql(shape: FileShape, unmapped: readonly string[]): string | undefined {
  if (shape.format === "jsonl") {
    return "line";
  }
  return unmapped.length === 0
    ? undefined
    : objectSql(unmapped.map((name) => [name, quoted(name), shape.types.get(name) ?? "VARCHAR"]));
}

/** What is kept of a row that can't be read. */
function contentSql({ format, types }: FileShape): string {
  return format === "jsonl"
    ? "line_text"
    : objectSql([...types].map(([name, type], index) => [name, `"#r${index}"`, type]));
}

function objectSql(columns: readonly (readonly [string, string, string])[]): string {
  const pairs = columns.map(
    ([name, column, type]) => `${literal(name)}, ${jsonValueSql(column, type)}`,
  );
  return `CAST(json_object(${pairs.join(", ")}) AS VARCHAR)`;
}

function keySql({ part, slots }: StagePart): string {
  if (part.fields.messageId !== undefined) {
    return "given_id";
  }
  const content = CONTENT.map((name) => `coalesce(CAST(${name} AS VARCHAR), chr(0))`);
  // Without a user and a visitor, whatever else says whom it concerns tells rows apart.
  const others = [
    ...(slots.length > 0 ? ["array_to_string(identifier_texts, chr(30))"] : []),
    ...(part.fields.campaign === undefined ? [] : ["campaign"]),
  ];
  if (part.type === "identify") {
    const checksum = `md5(concat_ws(chr(31), 'identify', ${identifyContent(part, slots).join(", ")}))`;
    return isStatePart(part) ? `${literal(stateKind(part))} || ${checksum}` : checksum;
  }
  const whom =
    others.length === 0
      ? []
      : [
          `CASE WHEN user_id IS NULL AND anonymous_id IS NULL THEN nullif(concat_ws(chr(30), ${others.join(", ")}), '') END`,
        ];
  return `md5(concat_ws(chr(31), ${[...content, ...whom].join(", ")}))`;
}

/** What a CRM row says; without a time of its own it is a new one only where that is something else. */
function identifyContent(part: Part, slots: readonly IdentifierSlot[]): string[] {
  const columns = [
    ...(typeof part.fields.occurredAt === "object" ? ["CAST(occurred_at_ms AS VARCHAR)"] : []),
    "user_id",
    "anonymous_id",
    ...(slots.length === 0 ? [] : ["CAST(to_json(identifier_texts) AS VARCHAR)"]),
    ...(part.fields.traits === undefined ? [] : ["traits"]),
    ...(part.fields.consent === undefined ? [] : ["consent"]),
  ];
  return columns.map((column) => `coalesce(${column}, chr(0))`);
}
