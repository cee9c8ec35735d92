import type { EventLine } from "./event-lines.ts";

/** What a line says of whom it names. */
export type NamingLine = Pick<EventLine, "userId" | "anonymousId" | "identifiers" | "isClaim">;

/**
 * SQL for whom a line of the history names, by the strongest of its identifiers, a claim by its visitor;
 * NULL where nobody. Refunds match lines that have the same text. `prefix` is that of its columns (`o.`).
 */
export function personSql(prefix = ""): string {
  return `CASE WHEN coalesce(${prefix}is_claim, false) THEN ${prefix}anonymous_id
    ELSE coalesce(${prefix}user_id, json_extract_string(${prefix}identifiers, '$[0]'), ${prefix}anonymous_id) END`;
}

/** The same text as `personSql` gives, for a line at hand. */
export function personOf({ userId, anonymousId, identifiers, isClaim }: NamingLine): string | null {
  return isClaim ? anonymousId : (userId ?? strongestOf(identifiers) ?? anonymousId);
}

function strongestOf(identifiers: string | null): string | null {
  const [strongest] = identifiers === null ? [] : (JSON.parse(identifiers) as [string, string][]);
  return strongest === undefined ? null : writtenAs(strongest);
}

/** An identifier as DuckDB writes it, whose escapes of control characters are in capitals. */
export function writtenAs(identifier: readonly [type: string, value: string]): string {
  return JSON.stringify(identifier).replaceAll(/\\(?:u[0-9a-f]{4}|.)/g, (escape) =>
    escape.startsWith("\\u") ? `\\u${escape.slice(2).toUpperCase()}` : escape,
  );
}
