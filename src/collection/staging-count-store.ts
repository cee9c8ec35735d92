import { type DuckDb, literal, type SqlRow } from "../base/index.ts";
import { KNOWN_EVENTS } from "./event-names.ts";
import type { ImportCount } from "./import-count-store.ts";
import { LATENESS } from "./lateness.ts";
import { fieldSpecs } from "./mapping.ts";
import { columnsOf } from "./mapping-fields.ts";
import { differSql } from "./repeat-store.ts";
import type { Staged } from "./staging-store.ts";

/** Counts of event lines; a row of a flat table is one. Read is the sum of the next four. */
export interface StagedCounts {
  readonly rowsRead: number;
  readonly rowsAccepted: number;
  readonly rowsDuplicate: number;
  readonly rowsRejected: number;
  /** Rows of which the mapping makes no event. */
  readonly rowsSkipped: number;
  /** Duplicates that say something else than what the history holds of them; it keeps what it has. */
  readonly rowsChanged: number;
}

/** How many rows were read, are new, are known, can't be read. Call after the rejects are collected. */
export async function countStaged(duckdb: DuckDb, staged: Staged): Promise<StagedCounts> {
  const isBlank = staged.shape.format === "jsonl" ? "is_blank" : "false";
  const skipped = staged.isFlat
    ? "0"
    : `(SELECT count(*) FROM source_row WHERE rowid + 1 NOT IN (SELECT row_number FROM staged)
        ${staged.shape.format === "jsonl" ? "AND trim(line) <> ''" : ""})`;
  const count = await one(
    duckdb,
    `SELECT (SELECT count(*) FROM staged WHERE error IS NULL AND NOT ${isBlank})
              - (SELECT count(*) FROM repeat WHERE is_clash) AS readable,
            (SELECT count(*) FROM new_line) AS accepted, (SELECT count(*) FROM reject) AS rejected,
            ${skipped} AS skipped, ${staged.hasKnown ? changedSql(staged) : "0"} AS changed`,
  );
  const { readable = 0, accepted = 0, rejected = 0, skipped: passed = 0, changed = 0 } = count;
  return {
    rowsRead: readable + rejected + passed,
    rowsAccepted: accepted,
    rowsDuplicate: readable - accepted,
    rowsRejected: rejected,
    rowsSkipped: passed,
    rowsChanged: changed,
  };
}

function changedSql({ parts }: Staged): string {
  const timed = parts.flatMap(({ knownAt, fields }, index) =>
    typeof fields.occurredAt === "object" || typeof knownAt === "object" ? [index] : [],
  );
  const isTimed = timed.length === 0 ? "false" : `m.part IN (${timed.join(", ")})`;
  return `(SELECT count(*) FROM message m
    WHERE m.message_id IN (SELECT message_id FROM known_line) AND NOT EXISTS (
      SELECT 1 FROM known_line e WHERE e.message_id = m.message_id AND e.line = m.line AND NOT (${differSql("e", "m", isTimed)})))`;
}

async function one(duckdb: DuckDb, sql: string): Promise<Record<string, number>> {
  const [row = {}] = await duckdb.rows(sql);
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)]));
}

/** What is to be kept of an import: counts of the new lines and of the rejects by kind and name. */
export async function countKinds(duckdb: DuckDb, staged: Staged): Promise<ImportCount[]> {
  const rows = await duckdb.rows(
    `SELECT 'event' AS kind, coalesce(event, type) AS name, count(*) AS n FROM new_line GROUP BY ALL
     UNION ALL SELECT 'channel', coalesce(channel, '(none)'), count(*) FROM new_line GROUP BY ALL
     UNION ALL SELECT 'late', ${lateSql()}, count(*) FROM new_line GROUP BY ALL
     UNION ALL SELECT 'missing_identifier', coalesce(event, type), count(*) FROM new_line
       WHERE line = 0 AND user_id IS NULL AND anonymous_id IS NULL${staged.slots.length === 0 ? "" : " AND identifiers IS NULL"} GROUP BY ALL
     UNION ALL SELECT 'reject', field || ': ' || split_part(reason, ', got', 1), count(*) FROM reject GROUP BY ALL
     ORDER BY kind, n DESC, name`,
  );
  const counts = rows.map(countOf);
  const unknown = counts
    .filter(({ kind, name }) => kind === "event" && !KNOWN_EVENTS.has(name) && name !== "identify")
    .map((count) => ({ ...count, kind: "unknown_event" }));
  return [...counts, ...unknown, ...(await countIdentifiers(duckdb, staged))];
}

function countOf(row: SqlRow): ImportCount {
  return { kind: String(row["kind"]), name: String(row["name"]), count: Number(row["n"]) };
}

function lateSql(): string {
  const cases = LATENESS.slice(0, -1).map(
    ({ name, atMost }) => `WHEN known_at_ms - occurred_at_ms <= ${atMost} THEN ${literal(name)}`,
  );
  return `CASE ${cases.join(" ")} ELSE ${literal(LATENESS.at(-1)?.name ?? "later")} END`;
}

/** Lines with an identifier of a type, and those where one was there and can't be one. */
async function countIdentifiers(duckdb: DuckDb, { slots }: Staged): Promise<ImportCount[]> {
  if (slots.length === 0) {
    return [];
  }
  const types = [...new Set(slots.map(({ type }) => type))];
  const kept = types.map(
    (type, index) => `count_if(contains(identifiers, ${literal(`["${type}",`)})) AS k${index}`,
  );
  const found = await one(duckdb, `SELECT ${kept.join(", ")} FROM new_line`);
  const dropped = await droppedIdentifiers(duckdb, types, slots);
  return [
    ...types.map((name, index) => ({ kind: "identifier", name, count: found[`k${index}`] ?? 0 })),
    ...dropped.map(({ name, count }) => ({ kind: "identifier_dropped", name, count })),
  ].filter(({ count }) => count > 0);
}

/** Texts that can't be an identifier of their type, with the first rows they stand in. */
export interface DroppedIdentifiers {
  readonly name: string;
  readonly count: number;
  readonly rows: readonly number[];
}

const ROWS_SHOWN = 5;

/** What was left out of identifiers, in rows, per type. */
export async function droppedIdentifiers(
  duckdb: DuckDb,
  types: readonly string[],
  slots: Staged["slots"],
): Promise<DroppedIdentifiers[]> {
  const [any] = await duckdb.rows("SELECT count(*) AS n FROM identifier_json WHERE json IS NULL");
  if (any?.["n"] === 0) {
    return [];
  }
  const found: DroppedIdentifiers[] = [];
  for (const name of types) {
    const own = slots.flatMap((slot, index) =>
      slot.type === name
        ? [
            `m.identifier_texts[${index + 1}] IN (SELECT text FROM identifier_json WHERE slot = ${index} AND json IS NULL)`,
          ]
        : [],
    );
    const rows = await duckdb.rows(
      `SELECT count(*) OVER () AS n, row_number FROM (
         SELECT DISTINCT row_number FROM message m WHERE ${own.join(" OR ")}
       ) ORDER BY row_number LIMIT ${ROWS_SHOWN}`,
    );
    if (rows.length > 0) {
      found.push({
        name,
        count: Number(rows[0]?.["n"]),
        rows: rows.map((row) => Number(row["row_number"])),
      });
    }
  }
  return found;
}

/** The staged column that a field fills; fields without one are inside an object. */
const COLUMN_OF: Readonly<Record<string, string>> = {
  messageId: "message_key",
  occurredAt: "occurred_at_ms",
  userId: "user_id",
  anonymousId: "anonymous_id",
  orderId: "order_id",
  productId: "product_id",
  productName: "product_name",
  quantity: "quantity",
  price: "price",
  currency: "currency",
  campaign: "campaign",
  category: "category",
  device: "device",
  cost: "cost",
};

/**
 * The mapped columns that no row has anything in, such as a mistyped path of JSON lines. What rows were
 * rejected for is in the file, and what another part reads of the same columns is, too.
 */
export async function emptyColumns(duckdb: DuckDb, { parts, slots }: Staged): Promise<string[]> {
  const tests = parts.flatMap((part, index) => testsOf(part, index, slots));
  const rejected = await duckdb.rows(
    "SELECT DISTINCT error.field AS field FROM staged WHERE NOT starts_with(error.reason, 'missing')",
  );
  const faulty = new Set(rejected.map(({ field }) => `fields.${String(field)}`));
  const counts = tests.map(({ sql }, index) => `count_if(${sql}) AS c${index}`);
  const row = await one(
    duckdb,
    `SELECT ${["count_if(part = 0) AS n", ...counts].join(", ")} FROM staged`,
  );
  const found = new Set(
    tests.flatMap(({ columns }, index) => (row[`c${index}`] === 0 ? [] : [columns.join("\n")])),
  );
  return row["n"] === 0
    ? []
    : tests.flatMap(({ field, columns, part }) =>
        part > 0 || found.has(columns.join("\n")) || faulty.has(field)
          ? []
          : [`${field}: ${columns.map((name) => `"${name}"`).join(", ")}`],
      );
}

interface EmptyTest {
  readonly field: string;
  readonly columns: readonly string[];
  readonly part: number;
  readonly sql: string;
}

function testsOf(
  { fields }: Staged["parts"][number],
  part: number,
  slots: Staged["slots"],
): EmptyTest[] {
  return fieldSpecs(fields).flatMap(([field, spec]) => {
    const columns = columnsOf(spec);
    const sql = columns.length === 0 ? undefined : hasValueSql(field, spec, slots);
    return sql === undefined
      ? []
      : [{ field: `fields.${field}`, columns, part, sql: `part = ${part} AND ${sql}` }];
  });
}

function hasValueSql(field: string, spec: object, slots: Staged["slots"]): string | undefined {
  const [kind = "", ...path] = field.split(".");
  const column = COLUMN_OF[kind];
  if (column !== undefined) {
    return `${column} IS NOT NULL`;
  }
  if (kind === "identifiers") {
    const slot = slots.findIndex((one) => one.field === spec);
    return `identifier_texts[${slot + 1}] IS NOT NULL`;
  }
  return kind === "traits" || (kind === "consent" && path[0] !== "jurisdiction")
    ? `contains(${kind}, ${literal(`"${path.at(-1) ?? ""}":`)})`
    : undefined;
}
