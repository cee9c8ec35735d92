import type { Sqlite } from "../base/index.ts";
import { IS_OTHER_LINE, LINES_AGE_MS, LINES_MAX, LINES_MIN } from "./kept-lines.ts";

interface LineKey {
  readonly occurredAt: number;
  readonly source: string;
  readonly messageId: string;
  readonly line: number;
}

const KEY = "occurred_at, source, message_id, line";
const LATEST_FIRST = KEY.split(", ")
  .map((column) => `${column} DESC`)
  .join(", ");

/**
 * Removes lines of an identifier that need not stay at hand. Orders and refunds stay; of the others the
 * latest LINES_MIN, and those at most LINES_AGE_MS older than its newest line, up to LINES_MAX. Lines of
 * the same instant count in the order of source, message and line.
 */
export function openTrim(sqlite: Sqlite): (identifierId: number) => void {
  const newest = sqlite
    .prepare<[number], number | null>(
      "SELECT max(occurred_at) FROM recent_event WHERE identifier_id = ?",
    )
    .pluck();
  const nth = sqlite.prepare<[number, number], LineKey>(
    `SELECT occurred_at AS occurredAt, source, message_id AS messageId, line FROM recent_event
     WHERE identifier_id = ? AND ${IS_OTHER_LINE} ORDER BY ${LATEST_FIRST} LIMIT 1 OFFSET ? - 1`,
  );
  // The plus leaves the index to the bound of time alone.
  const remove = sqlite.prepare(
    `DELETE FROM recent_event WHERE identifier_id = @id AND occurred_at <= @until
       AND (+${KEY}) < (@occurredAt, @source, @messageId, @line) AND ${IS_OTHER_LINE}`,
  );
  return (id) => {
    const last = nth.get(id, LINES_MIN);
    if (last === undefined) {
      return;
    }
    const old = (newest.get(id) ?? 0) - LINES_AGE_MS - 1;
    remove.run({ ...last, id, until: Math.min(old, last.occurredAt) });
    const end = nth.get(id, LINES_MAX);
    if (end !== undefined) {
      remove.run({ ...end, id, until: end.occurredAt });
    }
  };
}
