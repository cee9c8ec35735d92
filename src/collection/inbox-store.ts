import type { Store } from "../base/index.ts";
import type { EventLine } from "./event-lines.ts";
import { KNOWN_EVENTS } from "./event-names.ts";
import type { Refusal } from "./segment-event.ts";
import { ERASED_ON_REQUEST, erasedField, openTombstones } from "./tombstone-store.ts";

/** A message that is to be kept, with its lines, or to be set aside, with why and what it was. */
export type Arrival =
  | { readonly messageId: string; readonly lines: readonly EventLine[] }
  | { readonly refusal: Refusal; readonly content: string; readonly receivedAt: number };

/** Messages that came together from one source. */
export interface ArrivedBatch {
  readonly source: string;
  readonly arrivals: readonly Arrival[];
}

/** Per batch and message, whether it is new, or why it is refused after all. */
export type Novelty = readonly (readonly (boolean | Refusal)[])[];

/** Writes to the inbox through statements that are prepared once. */
export interface Inbox {
  /** Keeps what is new of the batches and sets aside what was refused, all in one durable transaction. */
  append(batches: readonly ArrivedBatch[]): Novelty;
}

/** How much is kept of a refused message. */
const CONTENT_LENGTH_MAX = 4_000;

/** The inbox of a store. */
export function openInbox(store: Store): Inbox {
  const { sqlite } = store;
  const addMessage = sqlite.prepare("INSERT INTO message VALUES (?, ?) ON CONFLICT DO NOTHING");
  const addLine = sqlite.prepare(
    `INSERT INTO inbox VALUES (NULL, @source, @messageId, @line, @type, @event, @occurredAt, @knownAt, @userId,
       @anonymousId, @orderId, @productId, @productName, @quantity, @price, @currency, @properties, @channel, @campaign,
       @cost, @identifiers, @traits, @consent, @isClaim)`,
  );
  const addRejected = sqlite.prepare(
    "INSERT INTO rejected_message VALUES (NULL, ?, ?, ?, ?, ?, ?)",
  );
  const countUnknown = sqlite.prepare(
    "INSERT INTO unknown_event VALUES (?, ?, 1) ON CONFLICT (source, event) DO UPDATE SET message_count = message_count + 1",
  );
  const refuseErased = openErasedRefusal(store);
  const add = (source: string, arrival: Arrival): boolean => {
    if ("refusal" in arrival) {
      const { messageId, field, reason } = arrival.refusal;
      const content = arrival.content.slice(0, CONTENT_LENGTH_MAX);
      addRejected.run(source, messageId, field, reason, content, arrival.receivedAt);
      return true;
    }
    if (addMessage.run(source, arrival.messageId).changes === 0) {
      return false;
    }
    for (const line of arrival.lines) {
      addLine.run({ source, ...line, isClaim: line.isClaim ? 1 : 0 });
    }
    const name = arrival.lines[0]?.event ?? null;
    if (name !== null && !KNOWN_EVENTS.has(name)) {
      countUnknown.run(source, name);
    }
    return true;
  };
  const append = sqlite.transaction(
    (batches: readonly ArrivedBatch[]): Novelty =>
      batches.map(({ source, arrivals }) =>
        arrivals.map((arrival) => refuseErased(source, arrival) ?? add(source, arrival)),
      ),
  );
  return { append: (batches) => append.immediate(batches) };
}

/** Refuses what names an erased person and keeps that it came, not what. Call inside the transaction that appends. */
function openErasedRefusal(
  store: Store,
): (source: string, arrival: Arrival) => Refusal | undefined {
  const tombstones = openTombstones(store);
  const note = store.sqlite.prepare(
    "INSERT INTO rejected_message VALUES (NULL, ?, NULL, ?, ?, '', ?)",
  );
  return (source, arrival) => {
    if (tombstones.isEmpty()) {
      return undefined;
    }
    if ("refusal" in arrival) {
      const { field, reason } = arrival.refusal;
      if (!tombstones.isNamedIn(parsed(arrival.content))) {
        return undefined;
      }
      note.run(source, field, reason, arrival.receivedAt);
      return arrival.refusal;
    }
    const field = erasedField(tombstones, arrival.lines);
    if (field === undefined) {
      return undefined;
    }
    note.run(source, field, ERASED_ON_REQUEST, arrival.lines[0]?.knownAt ?? 0);
    return { messageId: arrival.messageId, field, reason: ERASED_ON_REQUEST };
  };
}

function parsed(content: string): unknown {
  return content === "" ? null : (JSON.parse(content) as unknown);
}

/** The messages of a source that are not sealed yet, as rows of one column. */
export function inboxMessageIds(store: Store, source: string): [string][] {
  return store.sqlite
    .prepare<[string], [string]>("SELECT message_id FROM inbox WHERE source = ? AND line = 0")
    .raw()
    .all(source);
}
