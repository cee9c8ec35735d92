import type { DuckDb, SqlValue } from "../base/index.ts";
import { normaliseIdentifier } from "./identifier.ts";
import type { IdentifierSlot } from "./person-sql.ts";

const TEXTS_PER_APPEND = 50_000;

/**
 * Fills `identifier_json(slot, text, json)` with every distinct text of the session's `message` in its
 * normalised form, as JSON [type, value]; json is NULL where the text can't be one. The same rules as
 * live events, run once per text.
 */
export async function normaliseTexts(
  duckdb: DuckDb,
  slots: readonly IdentifierSlot[],
): Promise<void> {
  await duckdb.run("CREATE TEMP TABLE identifier_json (slot DOUBLE, text VARCHAR, json VARCHAR)");
  await duckdb.run(
    `CREATE TEMP TABLE identifier_text AS
     SELECT DISTINCT slot, text FROM (
       SELECT unnest(identifier_texts) AS text, unnest(range(len(identifier_texts))) AS slot FROM message
     ) WHERE text IS NOT NULL`,
  );
  // By place in the table: a stream would end with the first row that is written beside it.
  const [counted] = await duckdb.rows("SELECT count(*) AS n FROM identifier_text");
  const total = Number(counted?.["n"]);
  for (let from = 0; from < total; from += TEXTS_PER_APPEND) {
    const found = await duckdb.rows(
      `SELECT slot, text FROM identifier_text WHERE rowid >= ${from} AND rowid < ${from + TEXTS_PER_APPEND}`,
    );
    const rows = found.map((row): SqlValue[] => {
      const slot = Number(row["slot"]);
      const text = String(row["text"]);
      return [slot, text, jsonOf(slots[slot], text)];
    });
    await duckdb.append("identifier_json", rows);
  }
  await duckdb.run("DROP TABLE identifier_text");
}

function jsonOf(slot: IdentifierSlot | undefined, text: string): string | null {
  const value = slot === undefined ? undefined : normaliseIdentifier(slot.type, text, slot.region);
  return slot === undefined || value === undefined ? null : JSON.stringify([slot.type, value]);
}

/** The joins and the list that make the column `identifiers` of `message m`. */
export function identifiersSql(slots: readonly IdentifierSlot[]): {
  readonly joins: string;
  readonly list: string;
} {
  const joins = slots.map(
    (_, slot) =>
      `LEFT JOIN identifier_json i${slot} ON i${slot}.slot = ${slot} AND i${slot}.text = m.identifier_texts[${slot + 1}]`,
  );
  const types = [...new Set(slots.map(({ type }) => type))];
  const lists = types.map((type) => {
    const same = slots.flatMap((slot, index) => (slot.type === type ? [`i${index}.json`] : []));
    const values = `[${same.join(", ")}]`;
    return same.length === 1 ? values : `list_sort(list_distinct(${values}))`;
  });
  const all = lists.reduce((a, b) => `list_concat(${a}, ${b})`);
  return { joins: joins.join("\n"), list: `array_to_string(${all}, ',')` };
}
