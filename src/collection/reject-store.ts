import { type DuckDb, literal, quoted } from "../base/index.ts";
import { type FileShape, readerSql } from "./row-sql.ts";
import type { Staged } from "./staging-store.ts";

/**
 * Fills `reject(row_number, field, reason, content)` with the rows that can't be kept, numbered by their
 * place in the file, malformed lines too.
 */
export async function collectRejects(duckdb: DuckDb, { shape, isFlat }: Staged): Promise<void> {
  const { format } = shape;
  await duckdb.run(
    `CREATE TEMP TABLE malformed AS ${
      format === "parquet"
        ? "SELECT NULL AS row_number, NULL AS field, NULL AS reason, NULL AS content WHERE 1 = 0"
        : `SELECT line - ${format === "csv" ? 1 : 0} AS row_number, coalesce(any_value(column_name), '') AS field,
             'malformed line: ' || any_value(error_type) AS reason, any_value(csv_line) AS content
           FROM reject_errors GROUP BY line`
    }`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE clash AS
     SELECT s.row_number, 'messageId' AS field, 'repeats the id of row ' || r.first_row || ' with other content' AS reason
     FROM repeat r JOIN staged s ON s.id = r.id WHERE r.is_clash`,
  );
  const [clash] = await duckdb.rows("SELECT count(*) AS n FROM clash");
  const clashes =
    clash?.["n"] === 0
      ? ""
      : `UNION ALL SELECT c.row_number, c.field, c.reason, f.content FROM clash c JOIN (${rowsSql(shape, isFlat)}) f USING (row_number)`;
  await duckdb.run(
    `CREATE TEMP TABLE reject AS
     WITH skipped AS (
       SELECT row_number - row_number() OVER (ORDER BY row_number) AS good_before FROM malformed
     ), found AS (
       SELECT row_number, error.field AS field, error.reason AS reason, content FROM staged WHERE error IS NOT NULL
       ${clashes}
     )
     SELECT DISTINCT * FROM (
       SELECT row_number + (SELECT count(*) FROM skipped WHERE good_before < row_number) AS row_number, field, reason, content
       FROM found
       UNION ALL SELECT row_number, field, reason, content FROM malformed
     ) ORDER BY row_number`,
  );
}

/** The rows of the file as they are kept of a reject; of a flat one it is read once more. */
function rowsSql({ format, file, types }: FileShape, isFlat: boolean): string {
  const pairs = [...types.keys()].map(
    (name) => `${literal(name)}, CAST(${quoted(name)} AS VARCHAR)`,
  );
  const content = format === "jsonl" ? "line" : `CAST(json_object(${pairs.join(", ")}) AS VARCHAR)`;
  const again = readerSql(format, file).replace(
    "store_rejects = true, rejects_limit = 0",
    "ignore_errors = true",
  );
  return isFlat
    ? `SELECT row_number() OVER () AS row_number, ${content} AS content FROM ${again}`
    : `SELECT rowid + 1 AS row_number, ${content} AS content FROM source_row`;
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
