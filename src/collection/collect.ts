import type { Clock, Store } from "../base/index.ts";
import { eventLines } from "./event-lines.ts";
import { type Arrival, type ArrivedBatch, type Novelty, openInbox } from "./inbox-store.ts";
import {
  type Envelope,
  isRefusal,
  NESTED_TOO_DEEP,
  parseSegmentEvent,
  type Refusal,
} from "./segment-event.ts";

/** What became of one message. `messageId` is null where it has none that can be read. */
export interface MessageResult {
  readonly messageId: string | null;
  readonly status: "accepted" | "duplicate" | "rejected";
  readonly field?: string;
  readonly reason?: string;
}

/** Calls as they came, and what the request says of all of them. */
export interface CollectRequest extends Omit<Envelope, "receivedAt"> {
  readonly source: string;
  readonly calls: readonly unknown[];
}

/** Takes calls in. */
export interface Collector {
  /** Resolves once every accepted message is durable; a result per call, in their order. */
  collect(request: CollectRequest): Promise<readonly MessageResult[]>;
}

interface Waiting {
  readonly batch: ArrivedBatch;
  readonly resolve: (isNew: Novelty[number]) => void;
  readonly reject: (error: unknown) => void;
}

/** A collector over a store; requests that arrive in the same turn of the event loop share a commit. */
export function createCollector(store: Store, clock: Clock): Collector {
  const inbox = openInbox(store);
  let waiting: Waiting[] = [];
  const flush = (): void => {
    const together = waiting;
    waiting = [];
    let novelty: Novelty;
    try {
      novelty = inbox.append(together.map(({ batch }) => batch));
    } catch (error) {
      for (const { reject } of together) {
        reject(error);
      }
      return;
    }
    for (const [index, { resolve }] of together.entries()) {
      resolve(novelty[index] ?? []);
    }
  };
  return {
    collect: async ({ source, calls, ...envelope }) => {
      const receivedAt = clock.now();
      const arrivals = calls.map((call) => arrivalOf(call, { ...envelope, receivedAt }));
      const isNew = await new Promise<Novelty[number]>((resolve, reject) => {
        if (waiting.length === 0) {
          setImmediate(flush);
        }
        waiting.push({ batch: { source, arrivals }, resolve, reject });
      });
      return arrivals.map((arrival, index) => resultOf(arrival, isNew[index] ?? false));
    },
  };
}

function arrivalOf(call: unknown, envelope: Envelope): Arrival {
  const event = parseSegmentEvent(call, envelope);
  if (isRefusal(event)) {
    return setAside(call, event, envelope);
  }
  const { messageId } = event;
  const lines = eventLines(event);
  return "reason" in lines
    ? setAside(call, { messageId, ...lines }, envelope)
    : { messageId, lines };
}

function setAside(call: unknown, refusal: Refusal, { receivedAt }: Envelope): Arrival {
  const content = refusal.reason === NESTED_TOO_DEEP ? "" : JSON.stringify(call);
  return { refusal, content, receivedAt };
}

function resultOf(arrival: Arrival, isNew: boolean | Refusal): MessageResult {
  if ("refusal" in arrival) {
    return { ...arrival.refusal, status: "rejected" };
  }
  if (typeof isNew === "object") {
    return { ...isNew, status: "rejected" };
  }
  return { messageId: arrival.messageId, status: isNew ? "accepted" : "duplicate" };
}
