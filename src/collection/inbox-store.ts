import { messageKey, type Store, writeTransaction } from "../base/index.ts";
import type { Note } from "./call-person.ts";
import type { EventLine } from "./event-lines.ts";
import { KNOWN_EVENTS } from "./event-names.ts";
import { latenessClass } from "./lateness.ts";
import { type MessageCounts, openMessageCounts } from "./message-count-store.ts";
import type { Refusal } from "./segment-event.ts";
import {
  ERASED_ON_REQUEST,
  erasedField,
  openTombstones,
  type Tombstones,
} from "./tombstone-store.ts";

/** A message that is to be kept, with its lines, or to be set aside, with why and what it was. */
export type Arrival =
  | {
      readonly messageId: string;
      readonly lines: readonly EventLine[];
      readonly notes: readonly Note[];
    }
  | { readonly refusal: Refusal; readonly content: string };

/** Messages that came together from one source. */
export interface ArrivedBatch {
  readonly source: string;
  readonly receivedAt: number;
  readonly arrivals: readonly Arrival[];
}

/** Per batch and message, whether it is new, or why it is refused after all. */
export type Novelty = readonly (readonly (boolean | Refusal)[])[];

/** Writes to the inbox through statements that are prepared once. */
export interface Inbox {
  /** Keeps what is new of the batches and sets aside what was refused, all in one transaction, which the caller makes durable. */
  append(batches: readonly ArrivedBatch[]): Novelty;
}

/** How much is kept of a refused message. */
const CONTENT_LENGTH_MAX = 4_000;

/** How many refused messages are kept of a source, the latest; older ones go in lots of a tenth. */
const REJECTED_MAX = 10_000;

const YEAR_2000 = Date.UTC(2000, 0, 1);

/** Events with a meaning besides those of the e-commerce spec. */
const CONSENT_EVENT = "Segment Consent Preference Updated";

/** The inbox of a store; at most `rejectedMax` refused messages are kept of a source. */
export function openInbox(store: Store, rejectedMax = REJECTED_MAX): Inbox {
  const { sqlite } = store;
  const counts = openMessageCounts(store);
  const addMessage = sqlite.prepare("INSERT INTO message VALUES (?) ON CONFLICT DO NOTHING");
  const addLine = sqlite.prepare(
    `INSERT INTO inbox (source, message_id, line, type, event, occurred_at_ms, known_at_ms, user_id, anonymous_id, order_id,
       product_id, product_name, quantity, price, currency, properties, channel, campaign, cost, identifiers, traits,
       consent, is_claim, category, device) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const addRejected = openRejected(store, rejectedMax);
  const tombstones = openTombstones(store);
  const add = ({ source, receivedAt }: ArrivedBatch, arrival: Arrival): boolean => {
    if ("refusal" in arrival) {
      const { field, reason } = arrival.refusal;
      addRejected(source, arrival.refusal, arrival.content, receivedAt);
      counts.add(source, "reject", `${field.replaceAll(/\d+/g, "*")}: ${reason}`);
      return true;
    }
    if (addMessage.run(messageKey(source, arrival.messageId)).changes === 0) {
      counts.add(source, "duplicate", "");
      return false;
    }
    for (const line of arrival.lines) {
      addLine.run(
        source,
        line.messageId,
        line.line,
        line.type,
        line.event,
        line.occurredAt,
        line.knownAt,
        line.userId,
        line.anonymousId,
        line.orderId,
        line.productId,
        line.productName,
        line.quantity,
        line.price,
        line.currency,
        line.properties,
        line.channel,
        line.campaign,
        line.cost,
        line.identifiers,
        line.traits,
        line.consent,
        line.isClaim ? 1 : 0,
        line.category,
        line.device,
      );
    }
    countAccepted(counts, source, arrival.lines[0], arrival.notes);
    return true;
  };
  const append = (batches: readonly ArrivedBatch[]): Novelty => {
    const isAnybodyErased = !tombstones.isEmpty();
    const novelty = batches.map((batch) =>
      batch.arrivals.map((arrival): boolean | Refusal => {
        const refusal = isAnybodyErased ? refusalOfErased(tombstones, arrival) : undefined;
        if (refusal === undefined) {
          return add(batch, arrival);
        }
        // That it came is kept, not what it was.
        add(batch, { refusal: { ...refusal, messageId: null }, content: "" });
        return refusal;
      }),
    );
    counts.write(batches[0]?.receivedAt ?? 0);
    return novelty;
  };
  return {
    append: (batches) => {
      try {
        return writeTransaction(sqlite, () => append(batches));
      } catch (error) {
        counts.discard();
        throw error;
      }
    },
  };
}

function countAccepted(
  counts: MessageCounts,
  source: string,
  first: EventLine | undefined,
  notes: readonly Note[],
): void {
  if (first === undefined) {
    return;
  }
  const name = first.event ?? first.type;
  counts.add(source, "event", name);
  if (first.event !== null && !KNOWN_EVENTS.has(name) && name !== CONSENT_EVENT) {
    counts.add(source, "unknown_event", name);
  }
  counts.add(source, "channel", first.channel ?? "");
  counts.add(source, "late", latenessClass(first.knownAt - first.occurredAt));
  if (first.userId === null && first.identifiers === null) {
    counts.add(source, "missing_identifier", "anonymous_id alone");
  }
  if (first.occurredAt < YEAR_2000) {
    counts.add(source, "impossible", "time before the year 2000");
  }
  for (const [kind, noted] of notes) {
    counts.add(source, kind, noted);
  }
}

type AddRejected = (source: string, refusal: Refusal, content: string, receivedAt: number) => void;

/** Keeps refused messages, and drops the oldest of a source once in a while. */
function openRejected({ sqlite }: Store, rejectedMax: number): AddRejected {
  const insert = sqlite.prepare("INSERT INTO rejected_message VALUES (NULL, ?, ?, ?, ?, ?, ?)");
  const drop = sqlite.prepare(
    `DELETE FROM rejected_message WHERE source = ? AND sequence <= (
       SELECT sequence FROM rejected_message WHERE source = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?)`,
  );
  const lot = Math.ceil(rejectedMax / 10);
  const sinceDrop = new Map<string, number>();
  return (source, { messageId, field, reason }, content, receivedAt) => {
    insert.run(source, messageId, field, reason, content.slice(0, CONTENT_LENGTH_MAX), receivedAt);
    // The first of a process drops what processes before it left over.
    const since = (sinceDrop.get(source) ?? lot) + 1;
    sinceDrop.set(source, since > lot ? 0 : since);
    if (since > lot) {
      drop.run(source, source, rejectedMax);
    }
  };
}

/** Why something that names an erased person is refused. Call inside the transaction that appends. */
function refusalOfErased(tombstones: Tombstones, arrival: Arrival): Refusal | undefined {
  if ("refusal" in arrival) {
    const content: unknown = arrival.content === "" ? null : JSON.parse(arrival.content);
    return tombstones.isNamedIn(content) ? arrival.refusal : undefined;
  }
  const field = erasedField(tombstones, arrival.lines);
  return field === undefined
    ? undefined
    : { messageId: arrival.messageId, field, reason: ERASED_ON_REQUEST };
}

/** The messages of a source that are not sealed yet, as rows of one column. */
export function inboxMessageIds(store: Store, source: string): [string][] {
  return store.sqlite
    .prepare<[string], [string]>("SELECT message_id FROM inbox WHERE source = ? AND line = 0")
    .raw()
    .all(source);
}
