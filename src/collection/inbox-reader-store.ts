import { type Sqlite, statementOf } from "../base/index.ts";
import type { EventLine } from "./event-lines.ts";

/** A line that waits in the inbox, but for what nobody asks of it before it is sealed. */
export interface InboxLine extends Omit<EventLine, "properties" | "cost"> {
  readonly sequence: number;
  readonly source: string;
}

type InboxRow = Omit<InboxLine, "isClaim"> & { readonly isClaim: number };

const COLUMNS = `sequence, source, message_id AS messageId, line, type, event, occurred_at_ms AS occurredAt, known_at_ms AS knownAt,
  user_id AS userId, anonymous_id AS anonymousId, order_id AS orderId, product_id AS productId, product_name AS productName,
  quantity, price, currency, channel, campaign, identifiers, traits, consent, is_claim AS isClaim, category, device`;

/** The inbox's lines after a sequence number (exclusive), in order, at most `limit`. */
export function inboxLinesAfter(sqlite: Sqlite, sequence: number, limit: number): InboxLine[] {
  return statementOf<[number, number], InboxRow>(
    sqlite,
    `SELECT ${COLUMNS} FROM inbox WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  )
    .all(sequence, limit)
    .map((row) => ({ ...row, isClaim: row.isClaim === 1 }));
}

/** Whether the inbox has a line after a sequence number (exclusive). */
export function isInboxWaiting(sqlite: Sqlite, sequence: number): boolean {
  const read = statementOf<[number], number>(
    sqlite,
    "SELECT EXISTS (SELECT 1 FROM inbox WHERE sequence > ?)",
  );
  return read.pluck().get(sequence) === 1;
}

/** Up to which line of the inbox customers know it. */
export function resolvedThrough(sqlite: Sqlite): number {
  return (
    statementOf<[], number>(sqlite, "SELECT inbox_through FROM resolve_position").pluck().get() ?? 0
  );
}

/** Notes up to which line customers know the inbox; call inside the transaction that makes it so. */
export function markInboxResolved(sqlite: Sqlite, through: number): void {
  statementOf<[number]>(sqlite, "UPDATE resolve_position SET inbox_through = ?").run(through);
}
