import { type DuckDb, literal, type Store } from "../base/index.ts";
import { historySql } from "./history-store.ts";
import { identifiersSql } from "./identifier-text-store.ts";
import type { Part } from "./mapping.ts";
import type { IdentifierSlot } from "./person-sql.ts";
import { isStatePart, stateKind } from "./state-row.ts";

/** By whom a row is: the user, else the strongest identifier, else the visitor. */
function personSql(identifiers: string): string {
  return `coalesce('u' || user_id, CAST(json_extract(${identifiers}, '$[0]') AS VARCHAR), 'a' || anonymous_id)`;
}

/**
 * Fills `known_state(message_id)` with the rows of the session's `message` that say how somebody is and say
 * nothing new, and `renewed_state(message_id, new_id)` with those that say again what was said before
 * something else was. Known is what the history holds with the same time of knowing, and what the latest
 * that it holds of the person, from this source and of this kind, says already; where a file has several
 * rows of one person, they are known together or not at all. False where the mapping has no such rows.
 * `identifier_json` must be filled.
 */
export async function findKnownStates(
  duckdb: DuckDb,
  store: Store,
  request: {
    readonly source: string;
    readonly parts: readonly Part[];
    readonly slots: readonly IdentifierSlot[];
  },
): Promise<boolean> {
  const { source, parts, slots } = request;
  const states = parts.flatMap((part, index) => (isStatePart(part) ? [{ part, index }] : []));
  if (states.length === 0) {
    return false;
  }
  const { joins, list } = slots.length === 0 ? { joins: "", list: "''" } : identifiersSql(slots);
  await duckdb.run(
    `CREATE TEMP TABLE state AS
     SELECT message_id, message_key AS key, known_at_ms, ${personSql(`'[' || ${list} || ']'`)} AS person
     FROM message m ${joins} WHERE part IN (${states.map(({ index }) => index).join(", ")})`,
  );
  const kinds = [...new Set(states.map(({ part }) => stateKind(part)))];
  await duckdb.run(
    `CREATE TEMP TABLE said_state AS
     SELECT message_id, split_part(message_id, '-', 1) AS key, known_at_ms, ${personSql("identifiers")} AS person
     FROM ${historySql(store)}
     WHERE source = ${literal(source)} AND type = 'identify' AND message_id[1:8] IN (${kinds.map(literal).join(", ")})
       AND regexp_matches(message_id, '^[0-9a-f]{40}-') AND person IN (SELECT person FROM state)`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE known_state AS
     WITH latest AS (
       SELECT key, person FROM said_state
       QUALIFY known_at_ms = max(known_at_ms) OVER (PARTITION BY key[1:8], person)
     ), compared AS (
       SELECT message_id, person, key, (key, known_at_ms) IN (SELECT (key, known_at_ms) FROM said_state) AS is_exact,
              (key, person) IN (SELECT (key, person) FROM latest) AS is_latest
       FROM state
     )
     SELECT message_id FROM (
       SELECT message_id, is_exact, bool_and(is_exact OR is_latest) OVER (PARTITION BY key[1:8], person) AS is_said FROM compared
     ) WHERE is_exact OR is_said`,
  );
  await duckdb.run(
    `CREATE TEMP TABLE renewed_state AS
     SELECT message_id, message_id || '-' || known_at_ms AS new_id FROM state
     WHERE message_id NOT IN (SELECT message_id FROM known_state) AND message_id IN (SELECT message_id FROM said_state)`,
  );
  await duckdb.run("DROP TABLE said_state");
  return true;
}
