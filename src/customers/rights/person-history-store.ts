import { type DuckDb, literal, type SqlRow, type Store } from "../../base/index.ts";
import { HISTORY_COLUMNS, historySql, rewriteHistory } from "../../collection/index.ts";
import type { Identifier } from "../identity-rules.ts";
import { createMatcher, mentionSql, type PersonMatcher } from "./person-matcher.ts";
import { type LineNames, ownership, type Person } from "./person-store.ts";

/** A message of the person's: [source, message id]. */
export type MessageKey = readonly [source: string, messageId: string];

/** What the history holds of a person. */
export interface PersonHistory {
  readonly messages: readonly MessageKey[];
  readonly rows: number;
  /** When it was first known of them, in epoch milliseconds; null where there is nothing. */
  readonly firstKnownAt: number | null;
}

/** What erasing did to the history. */
export interface HistoryErasure {
  readonly files: number;
  readonly removed: number;
  /** Rows of others that named the person. */
  readonly changed: number;
}

const NAME_COLUMNS = "user_id, anonymous_id, identifiers, coalesce(is_claim, false) AS is_claim";

/** Finds the person's messages in the history. */
export async function findInHistory(store: Store, person: Person): Promise<PersonHistory> {
  const duckdb = await store.openDuckDb();
  try {
    await markOwned(duckdb, store, person);
    const rows = await duckdb.rows("SELECT source, message_id FROM erased_message ORDER BY ALL");
    const [summary] = await duckdb.rows(
      `SELECT count(*) AS n, min(known_at_ms) AS first FROM ${historySql(store)} WHERE ${IS_OWNED}`,
    );
    const first = summary?.["first"] ?? null;
    return {
      messages: rows.map((row) => [String(row["source"]), String(row["message_id"])] as const),
      rows: Number(summary?.["n"]),
      firstKnownAt: first === null ? null : Number(first),
    };
  } finally {
    duckdb.close();
  }
}

/** True of every line that names one of the identifiers, or holds it in a text of any column. */
export function namedOrMentionedSql(identifiers: readonly Identifier[]): string {
  const texts = HISTORY_TEXTS.map((column) => `(${mentionSql(column, identifiers)})`);
  return `(${isNamedSql(identifiers)} OR ${texts.join(" OR ")})`;
}

/** How many lines still name the person, in any column. */
export async function countNamed(store: Store, { identifiers }: Person): Promise<number> {
  const duckdb = await store.openDuckDb();
  try {
    const [row] = await duckdb.rows(
      `SELECT count(*) AS n FROM ${historySql(store)} WHERE ${namedOrMentionedSql(identifiers)}`,
    );
    return Number(row?.["n"]);
  } finally {
    duckdb.close();
  }
}

/** The person's lines of the history, in the order they happened, a few at a time. */
export async function* historyLinesOf(store: Store, person: Person): AsyncGenerator<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  try {
    await markOwned(duckdb, store, person);
    yield* duckdb.rowChunks(
      `SELECT * FROM ${historySql(store)} WHERE ${IS_OWNED} ORDER BY occurred_at_ms, source, message_id, line`,
    );
  } finally {
    duckdb.close();
  }
}

const IS_OWNED = "(source, message_id) IN (SELECT (source, message_id) FROM erased_message)";

/** Fills `erased_message` with the messages of which a line is the person's. */
async function markOwned(duckdb: DuckDb, store: Store, person: Person): Promise<void> {
  const isOwned = ownership(store, person);
  await duckdb.run(
    "CREATE OR REPLACE TEMP TABLE erased_name (user_id VARCHAR, anonymous_id VARCHAR, identifiers VARCHAR, is_claim BOOLEAN)",
  );
  const names = await duckdb.rows(
    `SELECT DISTINCT ${NAME_COLUMNS} FROM ${historySql(store)} WHERE ${isNamedSql(person.identifiers)}`,
  );
  const owned = names.filter((row) => isOwned(namesOf(row)));
  await duckdb.append(
    "erased_name",
    owned.map((row) => [
      row["user_id"] ?? null,
      row["anonymous_id"] ?? null,
      row["identifiers"] ?? null,
      row["is_claim"] === true,
    ]),
  );
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE erased_message AS
     SELECT DISTINCT h.source, h.message_id FROM ${historySql(store)} h JOIN erased_name n
       ON h.user_id IS NOT DISTINCT FROM n.user_id AND h.anonymous_id IS NOT DISTINCT FROM n.anonymous_id
      AND h.identifiers IS NOT DISTINCT FROM n.identifiers AND coalesce(h.is_claim, false) = n.is_claim`,
  );
}

function namesOf(row: SqlRow): LineNames {
  const text = (name: string): string | null =>
    row[name] === null || row[name] === undefined ? null : String(row[name]);
  return {
    userId: text("user_id"),
    anonymousId: text("anonymous_id"),
    identifiers: text("identifiers"),
    isClaim: row["is_claim"] === true,
  };
}

/** True of every line that names one of the identifiers where identifiers stand. */
function isNamedSql(identifiers: readonly Identifier[]): string {
  const oneOf = (column: string, type: string): string[] => {
    const values = identifiers
      .filter((one) => one.type === type)
      .map(({ value }) => literal(value));
    return values.length === 0 ? [] : [`${column} IN (${values.join(", ")})`];
  };
  return [
    ...oneOf("user_id", "user_id"),
    ...oneOf("anonymous_id", "anonymous_id"),
    ...identifiers.map(
      ({ value }) => `contains(identifiers, ${literal(JSON.stringify(value).slice(1, -1))})`,
    ),
    "false",
  ].join(" OR ");
}

/** Removes the person's lines from every file, and their identifiers from others' lines. Call it as the only writer. */
export async function eraseFromHistory(store: Store, person: Person): Promise<HistoryErasure> {
  const removed = await rewriteHistory(store, {
    where: IS_OWNED,
    prepare: (duckdb) => markOwned(duckdb, store, person),
  });
  const matcher = createMatcher(person.identifiers);
  const changed = await rewriteHistory(store, {
    where: IS_MENTION,
    set: {
      user_id: `CASE WHEN user_id NOT IN (${valuesSql(person, "user_id")}) THEN user_id END`,
      anonymous_id: `CASE WHEN anonymous_id NOT IN (${valuesSql(person, "anonymous_id")}) THEN anonymous_id END`,
      ...Object.fromEntries(TEXTS.map((column) => [column, newTextSql(column)])),
    },
    prepare: (duckdb) => markMentions(duckdb, store, person, matcher),
  });
  const count = (files: readonly { readonly rows: number }[]): number =>
    files.reduce((sum, { rows }) => sum + rows, 0);
  return {
    files: new Set([...removed, ...changed].map(({ file }) => file)).size,
    removed: count(removed),
    changed: count(changed),
  };
}

/** Columns of text that may hold anybody's identifiers, as JSON. */
const HISTORY_TEXTS = HISTORY_COLUMNS.flatMap(([name, type]) => (type === "VARCHAR" ? [name] : []));
const TEXTS = ["identifiers", "traits", "properties"] as const;

const IS_MENTION = `(user_id IN (SELECT value FROM erased_value WHERE type = 'user_id')
  OR anonymous_id IN (SELECT value FROM erased_value WHERE type = 'anonymous_id')
  OR ${TEXTS.map((column) => `${column} IN (SELECT old FROM redacted WHERE "column" = '${column}')`).join(" OR ")})`;

function newTextSql(column: string): string {
  return `CASE WHEN ${column} IN (SELECT old FROM redacted WHERE "column" = '${column}')
    THEN (SELECT any_value(r.new) FROM redacted r WHERE r."column" = '${column}' AND r.old = ${column}) ELSE ${column} END`;
}

function valuesSql({ identifiers }: Person, type: string): string {
  const values = identifiers.filter((one) => one.type === type).map(({ value }) => literal(value));
  return values.length === 0 ? "''" : values.join(", ");
}

/** Fills `erased_value` and `redacted`: others' texts with the person's identifiers, and what they become. */
async function markMentions(
  duckdb: DuckDb,
  store: Store,
  { identifiers }: Person,
  matcher: PersonMatcher,
): Promise<void> {
  await duckdb.run("CREATE TEMP TABLE erased_value (type VARCHAR, value VARCHAR)");
  await duckdb.append(
    "erased_value",
    identifiers.map(({ type, value }) => [type, value]),
  );
  await duckdb.run(`CREATE TEMP TABLE redacted ("column" VARCHAR, old VARCHAR, new VARCHAR)`);
  for (const column of TEXTS) {
    const isNames = column === "identifiers";
    const where = isNames ? isNamedSql(identifiers) : mentionSql(column, identifiers);
    const rows: [string, string, string | null][] = [];
    for await (const [texts = []] of duckdb.chunks(
      `SELECT DISTINCT ${column} FROM ${historySql(store)} WHERE ${column} IS NOT NULL AND (${where})`,
    )) {
      for (const text of texts.map(String)) {
        const redacted = isNames ? matcher.withoutNames(text) : matcher.redact(text);
        if (redacted !== text) {
          rows.push([column, text, redacted]);
        }
      }
    }
    await duckdb.append("redacted", rows);
  }
}
