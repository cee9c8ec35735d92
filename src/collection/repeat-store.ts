import { type DuckDb } from "../base/index.ts";

/** What tells repeats apart. */
export interface RepeatRules {
  /** Parts whose events have ids of their own. */
  readonly given: readonly number[];
  readonly partCount: number;
  readonly isFlat: boolean;
  readonly hasBlanks: boolean;
  readonly currency: boolean;
}

const COMPARED = [
  "event",
  "user_id",
  "anonymous_id",
  "order_id",
  "product_id",
  "quantity",
  "price",
  "currency",
];

/** Whether two lines of one message say different things; their time aside where it is that of the import. */
export function differSql(a: string, b: string, isTimed = "true"): string {
  const time = `${isTimed} AND ${a}.occurred_at_ms IS DISTINCT FROM ${b}.occurred_at_ms`;
  return [time, ...COMPARED.map((name) => `${a}.${name} IS DISTINCT FROM ${b}.${name}`)].join(
    " OR ",
  );
}

/**
 * Makes `repeat(id, number, first_row, is_clash)` of the lines of `staged` that repeat one before them, and
 * `message`: every readable line once, with its `message_id`. Equal rows without an id of their own are
 * numbered, as they are two things that happened; a given id that comes again is passed over, and a
 * clash where it says something else. Only keys that occur twice by their hash are sorted.
 */
export async function findRepeats(duckdb: DuckDb, rules: RepeatRules): Promise<void> {
  const { given, partCount, isFlat, hasBlanks } = rules;
  const readable = `error IS NULL${hasBlanks ? " AND NOT is_blank" : ""}`;
  const isGiven =
    given.length === 0
      ? "false"
      : given.length === partCount
        ? "true"
        : `part IN (${given.join(", ")})`;
  await duckdb.run(
    `CREATE TEMP TABLE repeated_key AS
     SELECT hash(message_key) AS key FROM staged WHERE ${readable}
     GROUP BY 1 HAVING ${isFlat ? "count(*) > 1" : "min(seq) <> max(seq)"}`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE again AS
     SELECT *, min(seq) OVER (PARTITION BY message_key) AS first_seq,
            row_number() OVER (PARTITION BY message_key, line ORDER BY seq) AS number, ${isGiven} AS is_given
     FROM staged WHERE ${readable} AND hash(message_key) IN (SELECT key FROM repeated_key)`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE repeat AS
     SELECT id, number, CAST(NULL AS BIGINT) AS first_row, false AS is_clash, false AS is_given FROM again WHERE NOT is_given AND number > 1
     UNION ALL
     SELECT a.id, a.number, coalesce(f.row_number, w.row_number), f.id IS NULL OR ${differSql("a", "f")}, true
     FROM again a
     LEFT JOIN again f ON f.message_key = a.message_key AND f.line = a.line AND f.seq = a.first_seq
     LEFT JOIN (SELECT message_key, min(row_number) AS row_number FROM again GROUP BY 1) w ON w.message_key = a.message_key
     WHERE a.is_given AND a.seq > a.first_seq`,
  );
  await duckdb.run("DROP TABLE again");
  await duckdb.run("DROP TABLE repeated_key");
  const [row] = await duckdb.rows("SELECT count(*) AS n FROM repeat");
  const number = row?.["n"] === 0 ? "1" : "coalesce(r.number, 1)";
  const id =
    isGiven === "true"
      ? "s.message_key"
      : isGiven === "false"
        ? `s.message_key || '-' || ${number}`
        : `CASE WHEN s.${isGiven} THEN s.message_key ELSE s.message_key || '-' || ${number} END`;
  await duckdb.run(
    `CREATE TEMP VIEW message AS SELECT s.*${hasBlanks ? " EXCLUDE (is_blank)" : ""}, ${id} AS message_id FROM staged s
     ${row?.["n"] === 0 ? `WHERE ${readable}` : `LEFT JOIN repeat r ON r.id = s.id WHERE ${readable} AND NOT coalesce(r.is_given, false)`}`,
  );
}
