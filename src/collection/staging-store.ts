import { basename } from "node:path";
import {
  type DuckDb,
  literal,
  messageOf,
  nearest,
  quoted,
  ServiceError,
  type Step,
  type Store,
} from "../base/index.ts";
import { expressionsOf } from "./expressions.ts";
import { historySql } from "./history-store.ts";
import { inboxMessageIds } from "./inbox-store.ts";
import { type Mapping, mappedColumns } from "./mapping.ts";
import { linkRefunds } from "./refund-store.ts";
import { type FileFormat, readerSql, sourceSql, stageSql } from "./stage-sql.ts";
import { ERASED_ON_REQUEST, refuseErasedRows } from "./tombstone-store.ts";

/** What to read. */
export interface StagingRequest {
  readonly file: string;
  readonly mapping: Mapping;
  readonly format: FileFormat;
}

/** Counts of rows. */
export interface StagedCounts {
  readonly rowsRead: number;
  readonly rowsAccepted: number;
  readonly rowsDuplicate: number;
  readonly rowsRejected: number;
}

/**
 * Reads a file into tables of the session: `readable` (event lines), `reject`, `new_line` (what the
 * history and the inbox do not hold yet) and `event_line` (the same, refunds linked). Changes nothing
 * on disk. Returns the mapped columns that are empty in every row.
 */
export async function stage(
  duckdb: DuckDb,
  store: Store,
  now: number,
  request: StagingRequest,
  step: Step | undefined,
): Promise<{ readonly emptyColumns: readonly string[] }> {
  const { file, format, mapping } = request;
  await refuseBadExpressions(duckdb, mapping);
  const columns = await sourceColumns(duckdb, mapping, format, file);
  const mapped = mappedColumns(mapping);
  const unmapped = [...columns.keys()].filter((name) => !mapped.has(name));
  await guardedRead(file, () =>
    duckdb.run(`CREATE TEMP TABLE source_row AS ${sourceSql(format, file, columns)}`),
  );
  step?.update(2, 8);
  const emptyColumns = await columnsWithoutValue(duckdb, mapped);
  await duckdb.run(
    `CREATE TEMP TABLE staged AS ${stageSql(mapping, format, unmapped, now)} ORDER BY row_number`,
  );
  await refuseErasedRows(duckdb, store, "staged");
  step?.update(3, 8);
  if (mapping.fields.messageId === undefined) {
    await duckdb.run(
      `CREATE TEMP TABLE readable AS
       SELECT * REPLACE (message_id || '-' || row_number() OVER (PARTITION BY message_id ORDER BY row_number) AS message_id), 1 AS occurrence
       FROM staged WHERE error IS NULL`,
    );
  } else {
    await duckdb.run(
      `CREATE TEMP TABLE readable AS
       SELECT *, row_number() OVER same AS occurrence FROM staged WHERE error IS NULL
       WINDOW same AS (PARTITION BY message_id ORDER BY row_number)`,
    );
    await rejectRepeatedIds(duckdb);
  }
  await collectRejects(duckdb, format, [...columns.keys()]);
  await duckdb.run("DROP TABLE source_row");
  await duckdb.run("DROP TABLE staged");
  step?.update(4, 8);
  await duckdb.run("CREATE TEMP TABLE inbox_message (message_id VARCHAR)");
  await duckdb.append("inbox_message", inboxMessageIds(store, mapping.source));
  await duckdb.run(
    `CREATE TEMP TABLE new_line AS
     SELECT r.* EXCLUDE (occurrence), 0 AS line, ${literal(mapping.source)} AS source, 'track' AS type FROM readable r
     WHERE r.occurrence = 1 AND NOT EXISTS (
       SELECT 1 FROM ${historySql(store)} h
       WHERE h.source = ${literal(mapping.source)} AND h.message_id = r.message_id)
       AND NOT EXISTS (SELECT 1 FROM inbox_message i WHERE i.message_id = r.message_id)
     ORDER BY r.occurred_at_ms, r.row_number`,
  );
  step?.update(5, 8);
  await linkRefunds(duckdb, store, new Map([[mapping.source, mapping.refunds]]));
  step?.update(6, 8);
  return { emptyColumns };
}

/** The mapped columns that no row has anything in, such as a mistyped path of JSON lines. */
async function columnsWithoutValue(
  duckdb: DuckDb,
  mapped: ReadonlyMap<string, string>,
): Promise<string[]> {
  const names = [...mapped.keys()];
  const counts = names.map((name, index) => `count(${quoted(name)}) AS c${index}`);
  const [row] = await duckdb.rows(`SELECT count(*) AS n, ${counts.join(", ")} FROM source_row`);
  return row?.["n"] === 0
    ? []
    : names.flatMap((name, index) =>
        row?.[`c${index}`] === 0 ? [`${mapped.get(name) ?? ""}: "${name}"`] : [],
      );
}

/** A mapped id that stands twice in a file with other content is no duplicate: the later row is set aside. */
async function rejectRepeatedIds(duckdb: DuckDb): Promise<void> {
  await duckdb.run(
    `CREATE TEMP TABLE repeated AS
     SELECT r.row_number, f.row_number AS first_row FROM readable r
     JOIN readable f ON f.message_id = r.message_id AND f.occurrence = 1
     WHERE r.occurrence > 1 AND r.content_id <> f.content_id`,
  );
  await duckdb.run(
    `UPDATE staged SET error = {'field': 'messageId', 'reason': 'repeats the id of row ' || r.first_row || ' with other content'}
     FROM repeated r WHERE r.row_number = staged.row_number`,
  );
  await duckdb.run("DELETE FROM readable WHERE row_number IN (SELECT row_number FROM repeated)");
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

/** The columns to read, with their types: all of a CSV or Parquet file, the mapped ones of JSON lines. */
async function sourceColumns(
  duckdb: DuckDb,
  mapping: Mapping,
  format: FileFormat,
  file: string,
): Promise<Map<string, string>> {
  const mapped = mappedColumns(mapping);
  if (format === "jsonl") {
    return new Map([...mapped.keys()].map((name) => [name, "VARCHAR"]));
  }
  const described = await guardedRead(file, () =>
    duckdb.rows(`DESCRIBE SELECT * FROM ${readerSql(format, file)}`),
  );
  const types = new Map(
    described.map((row) => [String(row["column_name"]), String(row["column_type"])]),
  );
  const columns = [...types.keys()];
  for (const [name, field] of mapped) {
    if (!columns.includes(name)) {
      throw new ServiceError(
        "invalid-input",
        `mapping: ${field} names the column "${name}", which ${basename(file)} does not have; nearest: ${nearest(name, columns).join(", ")}`,
        { field },
      );
    }
  }
  return types;
}

/** Fills `reject(row_number, field, reason, content)`; malformed CSV lines keep their own line. */
async function collectRejects(
  duckdb: DuckDb,
  format: FileFormat,
  columns: readonly string[],
): Promise<void> {
  const content =
    format === "jsonl"
      ? 's."#line"'
      : `CAST(json_object(${columns.map((name) => `${literal(name)}, s.${quoted(name)}`).join(", ")}) AS VARCHAR)`;
  const malformed =
    format !== "parquet"
      ? `SELECT line - ${format === "csv" ? 1 : 0} AS row_number, coalesce(any_value(column_name), '') AS field,
           'malformed line: ' || any_value(error_type) AS reason, any_value(csv_line) AS content
         FROM reject_errors GROUP BY line`
      : "SELECT NULL AS row_number, NULL AS field, NULL AS reason, NULL AS content WHERE 1 = 0";
  await duckdb.run(`CREATE TEMP TABLE malformed AS ${malformed}`);
  await duckdb.run(
    `CREATE TEMP TABLE reject AS
     WITH skipped AS (
       SELECT row_number - row_number() OVER (ORDER BY row_number) AS good_before FROM malformed
     )
     SELECT * FROM (
       SELECT t.row_number + (SELECT count(*) FROM skipped WHERE good_before < t.row_number) AS row_number,
              t.error.field AS field, t.error.reason AS reason,
              CASE WHEN t.error.reason <> ${literal(ERASED_ON_REQUEST)} THEN ${content} END AS content
       FROM staged t JOIN source_row s ON s."#row" = t.row_number WHERE t.error IS NOT NULL
       UNION ALL SELECT row_number, field, reason, content FROM malformed
     ) ORDER BY row_number`,
  );
}

/** Writes the rejected rows as CSV, if a file is named. */
export async function writeRejects(duckdb: DuckDb, rejectsFile: string | null): Promise<void> {
  if (rejectsFile !== null) {
    await duckdb.run(
      `COPY (SELECT row_number AS "row", field, reason, content FROM reject ORDER BY row_number)
       TO ${literal(rejectsFile)} (FORMAT csv, HEADER)`,
    );
  }
}

/** How many rows were read, are new, are known, can't be read. */
export async function countStaged(duckdb: DuckDb): Promise<StagedCounts> {
  const row = (
    await duckdb.rows(
      `SELECT (SELECT count(*) FROM readable) AS readable, (SELECT count(*) FROM new_line) AS accepted,
              (SELECT count(*) FROM reject) AS rejected`,
    )
  )[0];
  const readable = Number(row?.["readable"]);
  const rowsAccepted = Number(row?.["accepted"]);
  const rowsRejected = Number(row?.["rejected"]);
  return {
    rowsRead: readable + rowsRejected,
    rowsAccepted,
    rowsDuplicate: readable - rowsAccepted,
    rowsRejected,
  };
}

/** Rows of `name` and `n` as a record. */
export async function countsBy(duckdb: DuckDb, sql: string): Promise<Record<string, number>> {
  const rows = await duckdb.rows(sql);
  return Object.fromEntries(rows.map((row) => [String(row["name"]), Number(row["n"])]));
}

async function guardedRead<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = messageOf(error).split("\n")[0] ?? "";
    throw new ServiceError("invalid-input", `file: cannot read ${basename(file)}: ${reason}`, {
      field: "file",
      cause: error,
    });
  }
}
