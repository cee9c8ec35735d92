import { basename } from "node:path";
import {
  type DuckDb,
  literal,
  messageOf,
  nearest,
  ServiceError,
  type Step,
  type Store,
} from "../base/index.ts";
import { expressionsOf } from "./expressions.ts";
import { historySql, importedFiles } from "./history-store.ts";
import { identifiersSql, normaliseTexts } from "./identifier-text-store.ts";
import { inboxMessageIds } from "./inbox-store.ts";
import { type Mapping, mappedColumns, type Part, partsOf } from "./mapping.ts";
import { type IdentifierSlot, identifierSlots } from "./person-sql.ts";
import { findRepeats, type RepeatRules } from "./repeat-store.ts";
import { type FileFormat, type FileShape, neededColumn, readerSql } from "./row-sql.ts";
import { type StagePart, stageSql } from "./stage-sql.ts";
import { findKnownStates } from "./state-store.ts";
import { refuseErasedRows } from "./tombstone-store.ts";

/** What to read. */
export interface StagingRequest {
  readonly file: string;
  readonly mapping: Mapping;
  readonly format: FileFormat;
}

/** What a session holds of a file once it is staged. */
export interface Staged {
  readonly shape: FileShape;
  readonly parts: readonly Part[];
  readonly slots: readonly IdentifierSlot[];
  /** One row of the file is one row of `staged`: nothing is passed over. */
  readonly isFlat: boolean;
  readonly hasKnown: boolean;
}

const STEPS = 8;

/**
 * Reads a file into relations of the session: `staged` (event lines as they were read, those with an
 * `error` too), `repeat` (what of them repeats a row before it), `message` (those that can be kept),
 * `known` (messages that the history or the inbox holds) and `new_line` (the rest, as the history has
 * them). Changes nothing on disk.
 */
export async function stage(
  duckdb: DuckDb,
  store: Store,
  now: number,
  request: StagingRequest,
  step: Step | undefined,
): Promise<Staged> {
  const { file, format, mapping } = request;
  const parts = partsOf(mapping);
  const slots = identifierSlots(parts, mapping.region);
  await refuseBadExpressions(duckdb, mapping);
  const described = await describeFile(duckdb, format, file);
  const shape = withOptional(described, mapping.optional ?? []);
  refuseAbsentColumns(parts, shape);
  const needed = new Set(
    parts.flatMap((part) =>
      [...mappedColumns(part).keys()].filter((name) => shape.types.has(name)),
    ),
  );
  const unmapped = [...described.types.keys()].filter((name) => !needed.has(name));
  const stages = parts.map(
    (part, index): StagePart => ({ part, index, shape, slots, unmapped, now }),
  );
  const isFlat = isFlatMapping(parts);
  await guardedRead(file, () => readRows(duckdb, described, stages, isFlat));
  const names = slots.map(({ type, region }, slot) => {
    return { type, region, field: type, sql: `identifier_texts[${slot + 1}]` };
  });
  await refuseErasedRows(duckdb, store, "parsed", names);
  step?.update(3, STEPS);
  const rules = repeatRules(parts, isFlat, format);
  await findRepeats(duckdb, rules);
  step?.update(4, STEPS);
  if (slots.length > 0) {
    await normaliseTexts(duckdb, slots);
  }
  step?.update(5, STEPS);
  const known = await findKnown(duckdb, store, { source: mapping.source, parts, slots });
  const hasKnown = known.hasKnown;
  await duckdb.run(newLineSql(mapping.source, slots, known));
  step?.update(6, STEPS);
  return { shape, parts, slots, isFlat, hasKnown };
}

function isFlatMapping(parts: readonly Part[]): boolean {
  return (
    parts.length === 1 && parts.every(({ lines, groupBy, where }) => !lines && !groupBy && !where)
  );
}

/** Makes `staged`. Rows of a flat mapping are parsed as they are read; others are kept as they are first. */
async function readRows(
  duckdb: DuckDb,
  shape: FileShape,
  stages: readonly StagePart[],
  isFlat: boolean,
): Promise<void> {
  const reader = withAbsent(readerSql(shape.format, shape.file), shape, stages[0]?.shape ?? shape);
  if (isFlat) {
    const selects = stages.map((one) => stageSql(one, reader, false));
    await duckdb.run(`CREATE TEMP TABLE parsed AS ${selects.join("")}`);
    await duckdb.run(
      `CREATE TEMP VIEW staged AS SELECT *, rowid AS id, rowid + 1 AS row_number, 0 AS line, 0 AS part, rowid + 1 AS seq FROM parsed`,
    );
    return;
  }
  await duckdb.run(`CREATE TEMP TABLE source_row AS SELECT * FROM ${reader}`);
  const rows = `(SELECT rowid + 1 AS "#row", * FROM source_row ${shape.format === "jsonl" ? "WHERE trim(line) <> ''" : ""})`;
  const selects = stages.map((one) => stageSql(one, rows, true));
  await duckdb.run(`CREATE TEMP TABLE parsed AS ${selects.join("\nUNION ALL BY NAME\n")}`);
  await duckdb.run("CREATE TEMP VIEW staged AS SELECT *, rowid AS id FROM parsed");
}

/** The reader with the optional columns that this file lacks, empty. */
function withAbsent(reader: string, file: FileShape, wanted: FileShape): string {
  const absent = [...wanted.types.keys()].filter((name) => !file.types.has(name));
  return absent.length === 0 || file.format === "jsonl"
    ? reader
    : `(SELECT *, ${absent.map((name) => `CAST(NULL AS VARCHAR) AS "${name.replaceAll('"', '""')}"`).join(", ")} FROM ${reader})`;
}

function withOptional(shape: FileShape, optional: readonly string[]): FileShape {
  const absent = optional
    .map((name) => neededColumn(name, shape))
    .filter((name): name is string => name !== undefined && !shape.types.has(name));
  return {
    ...shape,
    types: new Map([...shape.types, ...absent.map((name) => [name, "VARCHAR"] as const)]),
  };
}

function repeatRules(parts: readonly Part[], isFlat: boolean, format: FileFormat): RepeatRules {
  const given = parts.flatMap((part, index) =>
    part.fields.messageId === undefined ? [] : [index],
  );
  const currency = parts.some((part) => part.fields.currency !== undefined);
  return { given, partCount: parts.length, isFlat, hasBlanks: format === "jsonl", currency };
}

/** What there is to compare with: anything of the source, and earlier rows that say how somebody is. */
interface Known {
  readonly hasKnown: boolean;
  readonly hasStates: boolean;
}

/** Fills `known`, and `known_line` with the lines that the history has of these messages. */
async function findKnown(
  duckdb: DuckDb,
  store: Store,
  request: Parameters<typeof findKnownStates>[2],
): Promise<Known> {
  const { source } = request;
  const waiting = inboxMessageIds(store, source);
  const hasHistory = mayHaveHistory(store, source);
  if (waiting.length === 0 && !hasHistory) {
    return { hasKnown: false, hasStates: false };
  }
  const hasStates = await findKnownStates(duckdb, store, request);
  await duckdb.run("CREATE TEMP TABLE inbox_message (message_id VARCHAR)");
  await duckdb.append("inbox_message", waiting);
  await duckdb.run(
    `CREATE TEMP TABLE known_line AS
     SELECT message_id, line, event, occurred_at_ms, user_id, anonymous_id, order_id, product_id, quantity, price, currency
     FROM ${historySql(store)} WHERE source = ${literal(source)} AND message_id IN (SELECT message_id FROM message)
     ${hasStates ? "AND message_id NOT IN (SELECT message_id FROM state)" : ""}`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE known AS
     SELECT DISTINCT message_id FROM known_line UNION
     SELECT message_id FROM inbox_message WHERE message_id IN (SELECT message_id FROM message)
     ${hasStates ? "UNION SELECT message_id FROM known_state" : ""}`,
  );
  return { hasKnown: true, hasStates };
}

/** Whether any visible file may hold events of the source: its own, or one of several sources. */
function mayHaveHistory(store: Store, source: string): boolean {
  const count = store.sqlite
    .prepare<[string], number>(
      "SELECT count(*) FROM history_file WHERE source = ? OR source IS NULL",
    )
    .pluck()
    .get(source);
  return (count ?? 0) > 0 || importedFiles(store, source).length > 0;
}

const NOT_KEPT = ["message_key", "error", "content", "id", "part", "seq"] as const;

function newLineSql(
  source: string,
  slots: readonly IdentifierSlot[],
  { hasKnown, hasStates }: Known,
): string {
  const { joins, list } =
    slots.length === 0 ? { joins: "", list: undefined } : identifiersSql(slots);
  const dropped = [...NOT_KEPT, ...(slots.length === 0 ? [] : ["identifier_texts"])];
  const identifiers =
    list === undefined
      ? ""
      : `, CASE WHEN (m.line = 0 OR coalesce(m.user_id, m.anonymous_id) IS NULL) AND ${list} <> '' THEN '[' || ${list} || ']' END AS identifiers`;
  return `CREATE TEMP VIEW new_line AS
    SELECT m.* EXCLUDE (${dropped.join(", ")})${hasStates ? " REPLACE (coalesce(renewed.new_id, m.message_id) AS message_id)" : ""},
      ${literal(source)} AS source${identifiers}
    FROM message m ${joins} ${hasStates ? "LEFT JOIN renewed_state renewed ON renewed.message_id = m.message_id" : ""}
    ${hasKnown ? "WHERE m.message_id NOT IN (SELECT message_id FROM known)" : ""}`;
}

/** Tries every expression of the mapping on nothing, so that a bad one is named before any row is read. */
async function refuseBadExpressions(duckdb: DuckDb, mapping: Mapping): Promise<void> {
  for (const { field, sql } of expressionsOf(mapping)) {
    try {
      await duckdb.run(sql);
    } catch (error) {
      const reason = /Error: (.*)/.exec(messageOf(error))?.[1] ?? "not usable";
      throw new ServiceError("invalid-input", `mapping: ${field}: ${reason}`, {
        field,
        cause: error,
      });
    }
  }
}

async function describeFile(duckdb: DuckDb, format: FileFormat, file: string): Promise<FileShape> {
  if (format === "jsonl") {
    return { format, file, types: new Map() };
  }
  const described = await guardedRead(file, () =>
    duckdb.rows(`DESCRIBE SELECT * FROM ${readerSql(format, file)}`),
  );
  const types = new Map(
    described.map((row) => [String(row["column_name"]), String(row["column_type"])]),
  );
  return { format, file, types };
}

function refuseAbsentColumns(parts: readonly Part[], shape: FileShape): void {
  for (const part of parts) {
    for (const [name, field] of mappedColumns(part)) {
      const column = neededColumn(name, shape);
      const isInLines = part.lines !== undefined && column === part.lines.each.split("[")[0];
      if (column !== undefined && !isInLines && !shape.types.has(column)) {
        const columns = [...shape.types.keys()];
        throw new ServiceError(
          "invalid-input",
          `mapping: ${field} names the column "${name}", which ${basename(shape.file)} does not have; nearest: ${nearest(name, columns).join(", ")}`,
          { field },
        );
      }
    }
  }
}

/** Runs what reads the file; what the engine says of it becomes an error about the file. */
async function guardedRead<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = readingFault(messageOf(error));
    throw new ServiceError("invalid-input", `file: cannot read ${basename(file)}: ${reason}`, {
      field: "file",
      cause: error,
    });
  }
}

/** What the engine says of a file, in a sentence; it may say a page. */
function readingFault(message: string): string {
  if (!/sniff|CSV Error|dialect/i.test(message)) {
    return message.split("\n")[0] ?? "";
  }
  const line = /\bLine:? (\d+)/i.exec(message)?.[1];
  return `its columns can't be told apart${line === undefined ? "" : ` (line ${line})`}; check the delimiter, the quotes and the line ends`;
}
