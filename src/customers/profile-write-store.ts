import type { Sqlite } from "../base/index.ts";
import { EventName, REFUND_EVENTS } from "../collection/index.ts";
import { EVENTS_BETWEEN_TRIMS } from "./kept-lines.ts";
import type { SeenLine } from "./observation.ts";
import { openTrim } from "./trim-store.ts";

/** Events of an identifier from a source, over a channel. Instants in epoch milliseconds. */
export interface Activity {
  readonly identifierId: number;
  readonly source: string;
  readonly channel: string;
  readonly eventCount: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** 1 where any of them came with something else than a public key. */
  readonly isTrusted: number;
}

/** What some lines say of an order; sums are over those lines. */
export interface OrderPart {
  readonly identifierId: number;
  readonly source: string;
  readonly orderId: string;
  /** Null where only refunds are known. */
  readonly orderedAt: number | null;
  readonly lastAt: number;
  readonly currency: string | null;
  readonly lineCount: number;
  readonly quantity: number;
  readonly amount: number;
  readonly refundedQuantity: number;
  readonly refundedAmount: number;
  readonly isCancelled: number;
}

/** A line that stays at hand. */
export type RecentLine = Pick<
  SeenLine,
  | "occurredAt"
  | "source"
  | "messageId"
  | "line"
  | "knownAt"
  | "type"
  | "event"
  | "channel"
  | "orderId"
  | "productId"
  | "productName"
  | "quantity"
  | "price"
  | "currency"
  | "category"
  | "device"
  | "campaign"
> & {
  readonly identifierId: number;
  /** Whom the line names, as refunds match lines (personOf). */
  readonly person: string | null;
  readonly isClaim: number;
};

/** Something a person is said to be. */
export interface Trait {
  readonly identifierId: number;
  readonly name: string;
  /** JSON. */
  readonly value: string;
  readonly source: string;
  readonly occurredAt: number;
  readonly knownAt: number;
}

/** Writes what profiles are made of, through statements that are prepared once. Call inside a transaction. */
export interface ProfileWriter {
  /** Returns whether the identifier is new to the source and channel, or first told of by more than a public key. */
  addActivity(part: Activity): boolean;
  addOrder(part: OrderPart): void;
  /** Adds a line once, however often it is told. */
  addRecent(line: Omit<RecentLine, "identifierId">, identifierId: number): void;
  /** Removes what need not stay at hand of an identifier, once in a number of its events; call it after addActivity. */
  trimRecent(identifierId: number): void;
  /** The latest word on a trait counts. */
  addTrait(trait: Trait): void;
}

/** A channel nobody named. */
export const NO_CHANNEL = "unknown";

/** The writer of a store's profiles. */
export function openProfileWriter(sqlite: Sqlite): ProfileWriter {
  const activity = sqlite
    .prepare<[number, number, number, number, number, string, string], [number, number]>(
      `UPDATE identifier_activity SET event_count = event_count + ?, first_at = min(first_at, ?), last_at = max(last_at, ?),
         trusted_count = trusted_count + ?
       WHERE identifier_id = ? AND source = ? AND channel = ? RETURNING event_count, trusted_count`,
    )
    .raw();
  const firstActivity = sqlite.prepare(
    "INSERT INTO identifier_activity VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const order = sqlite.prepare(
    `INSERT INTO order_summary VALUES (@identifierId, @source, @orderId, @orderedAt, @lastAt, @currency, @lineCount,
       @quantity, @amount, @refundedQuantity, @refundedAmount, @isCancelled)
     ON CONFLICT (identifier_id, source, order_id) DO UPDATE SET
       ordered_at = min(coalesce(ordered_at, excluded.ordered_at), coalesce(excluded.ordered_at, ordered_at)),
       last_at = max(last_at, excluded.last_at), currency = coalesce(currency, excluded.currency),
       line_count = line_count + excluded.line_count, quantity = quantity + excluded.quantity, amount = amount + excluded.amount,
       refunded_quantity = refunded_quantity + excluded.refunded_quantity,
       refunded_amount = refunded_amount + excluded.refunded_amount,
       is_cancelled = max(is_cancelled, excluded.is_cancelled)`,
  );
  const recent = sqlite.prepare(
    `INSERT OR IGNORE INTO recent_event VALUES (${Array(20).fill("?").join(", ")})`,
  );
  const trim = openTrim(sqlite);
  const due = new Set<number>();
  const trait = sqlite.prepare(
    `INSERT INTO trait VALUES (@identifierId, @name, @value, @source, @occurredAt, @knownAt)
     ON CONFLICT (identifier_id, name) DO UPDATE SET value = excluded.value, source = excluded.source,
       occurred_at = excluded.occurred_at, known_at = excluded.known_at
     WHERE (excluded.occurred_at, excluded.known_at, excluded.value) > (occurred_at, known_at, value)`,
  );
  return {
    addActivity: ({ identifierId, source, channel, eventCount, firstAt, lastAt, isTrusted }) => {
      const [known, trusted] =
        activity.get(eventCount, firstAt, lastAt, isTrusted, identifierId, source, channel) ?? [];
      const lot = (events: number): number => Math.floor(events / EVENTS_BETWEEN_TRIMS);
      const count = known ?? eventCount;
      if (lot(count) > lot(count - eventCount)) {
        due.add(identifierId);
      }
      if (known === undefined) {
        firstActivity.run(identifierId, source, channel, eventCount, firstAt, lastAt, isTrusted);
      }
      return known === undefined || (isTrusted === 1 && trusted === 1);
    },
    addOrder: (part) => void order.run(part),
    addRecent: (line, identifierId) =>
      void recent.run(
        identifierId,
        line.occurredAt,
        line.source,
        line.messageId,
        line.line,
        line.knownAt,
        line.type,
        line.event,
        line.channel,
        line.orderId,
        line.productId,
        line.productName,
        line.quantity,
        line.price,
        line.currency,
        line.category,
        line.device,
        line.campaign,
        line.person,
        line.isClaim,
      ),
    trimRecent: (id) => {
      if (due.delete(id)) {
        trim(id);
      }
    },
    addTrait: (part) => void trait.run(part),
  };
}

/**
 * What a line says of an order, if anything. A refund of an unknown order stands by itself; one that names
 * neither product nor amount takes back all.
 */
export function orderPartOf(line: SeenLine, identifierId: number): OrderPart | undefined {
  const part = {
    identifierId,
    source: line.source,
    orderId: line.orderId ?? `message ${line.messageId}`,
    lastAt: line.occurredAt,
    currency: line.currency,
  };
  if (line.event === EventName.orderCompleted) {
    return { ...part, ...NOTHING, ...sumsOf(line), orderedAt: line.occurredAt, lineCount: 1 };
  }
  return REFUND_EVENTS.includes(line.event ?? "") ? { ...part, ...refundOf(line) } : undefined;
}

type Sums = Omit<OrderPart, "identifierId" | "source" | "orderId" | "lastAt" | "currency">;

const NOTHING: Sums = {
  orderedAt: null,
  lineCount: 0,
  quantity: 0,
  amount: 0,
  refundedQuantity: 0,
  refundedAmount: 0,
  isCancelled: 0,
};

function refundOf(line: SeenLine): Sums {
  if (line.productId === null && line.price === null) {
    return { ...NOTHING, isCancelled: 1 };
  }
  const { quantity, amount } = sumsOf(line);
  const refundedQuantity = line.productId === null ? 0 : Math.abs(quantity);
  return { ...NOTHING, refundedQuantity, refundedAmount: Math.abs(amount) };
}

function sumsOf(line: SeenLine): { readonly quantity: number; readonly amount: number } {
  const quantity = line.quantity ?? 1;
  return { quantity, amount: rounded(quantity * (line.price ?? 0)) };
}

/** Money to a hundredth of a cent, so that sums do not show how they were made. */
function rounded(amount: number): number {
  return Math.round(amount * 10_000) / 10_000;
}
