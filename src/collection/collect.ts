import {
  type Clock,
  isBusy,
  type Pause,
  ServiceError,
  type Store,
  systemPause,
  withoutWaiting,
} from "../base/index.ts";
import { eventLines } from "./event-lines.ts";
import { type Arrival, type ArrivedBatch, type Novelty, openInbox } from "./inbox-store.ts";
import { learnImports, openPendingImports } from "./known-import-store.ts";
import {
  type Envelope,
  isRefusal,
  NESTED_TOO_DEEP,
  parseSegmentEvent,
  type Refusal,
  sharedContextBytes,
} from "./segment-event.ts";
import { NO_RULES, type SourceRules } from "./source-rules.ts";

/** What became of one message. `messageId` is null where it has none that can be read. */
export interface MessageResult {
  readonly messageId: string | null;
  readonly status: "accepted" | "duplicate" | "rejected";
  readonly field?: string;
  readonly reason?: string;
}

/** Calls as they came, and what the request and its key say of all of them. */
export interface CollectRequest extends Pick<Envelope, "sentAt" | "context" | "type"> {
  readonly source: string;
  readonly calls: readonly unknown[];
  /** None of its own unless given. */
  readonly rules?: SourceRules;
  /** Whether anybody could have sent them; not so unless given. */
  readonly isClaim?: boolean;
}

/** Takes calls in. */
export interface Collector {
  /**
   * Resolves once every accepted message is durable; a result per call, in their order. Throws `too-large` where the
   * calls are more than 4 MB with the context they share.
   */
  collect(request: CollectRequest): Promise<readonly MessageResult[]>;
}

/** How long a request waits for another writer, in milliseconds of pauses; it is answered within a second. */
const WAIT_MS = 700;

/**
 * A collector over a store; requests that arrive in the same turn of the event loop share a commit, and those of
 * several turns a flush. While another process writes, requests wait off the event loop; one that waits too long
 * fails with `busy`, and its messages are not kept.
 */
export function createCollector(store: Store, clock: Clock, pause: Pause = systemPause): Collector {
  const append = openAppend(store, pause);
  const knowImports = openKnownImports(store);
  const sameInstantOf = countingSame();
  const arrivalTime = openArrivalTimes(store, clock);
  return {
    collect: async ({ source, calls, rules = NO_RULES, isClaim = false, ...said }) => {
      const contextBytes = sharedContextBytes(said.context);
      refuseMultiplied(calls.length, contextBytes);
      await knowImports(source);
      const receivedAt = arrivalTime();
      const sameInstant = sameInstantOf(receivedAt);
      const repeats = new Map<string, number>();
      const envelope = {
        ...said,
        ...{ receivedAt, rules, isClaim, contextBytes, sameInstant, repeats },
      };
      const arrivals = calls.map((call) => arrivalOf(call, envelope));
      const isNew = await append({ source, receivedAt, arrivals });
      return arrivals.map((arrival, index) => resultOf(arrival, isNew[index] ?? false));
    },
  };
}

/** How often in a row the same number was given before. */
function countingSame(): (value: number) => number {
  let last = Number.NaN;
  let times = 0;
  return (value) => {
    times = value === last ? times + 1 : 0;
    last = value;
    return times;
  };
}

const SHARED_CONTEXT_BYTES_MAX = 4 * 1024 * 1024;

/** Each call is kept with the context; one that is nested too deep is not kept. */
function refuseMultiplied(calls: number, contextBytes: number): void {
  if (contextBytes !== Infinity && calls * contextBytes > SHARED_CONTEXT_BYTES_MAX) {
    throw new ServiceError(
      "too-large",
      `context: expected at most ${SHARED_CONTEXT_BYTES_MAX} bytes, counted once for each call that shares it`,
      { field: "context" },
    );
  }
}

interface Waiting {
  readonly batch: ArrivedBatch;
  readonly resolve: (isNew: Novelty[number]) => void;
  readonly reject: (error: unknown) => void;
  waitedMs: number;
}

/** Appends batches to the inbox; resolves once they are durable. */
function openAppend(store: Store, pause: Pause): (batch: ArrivedBatch) => Promise<Novelty[number]> {
  const inbox = openInbox(store);
  let waiting: Waiting[] = [];
  let isAppending = false;
  const flush = async (together: readonly Waiting[], novelty: Novelty): Promise<void> => {
    try {
      await store.flush();
    } catch (error) {
      refuse(together, error);
      return;
    }
    for (const [index, { resolve }] of together.entries()) {
      resolve(novelty[index] ?? []);
    }
  };
  const waitLonger = async (error: unknown): Promise<void> => {
    const asked = [...waiting];
    const pauseMs = pauseAfter(asked[0]?.waitedMs ?? 0);
    await pause(pauseMs);
    for (const one of asked) {
      one.waitedMs += pauseMs;
    }
    const isTooLong = ({ waitedMs }: Waiting): boolean => waitedMs >= WAIT_MS;
    refuse(waiting.filter(isTooLong), error);
    waiting = waiting.filter((one) => !isTooLong(one));
  };
  const append = async (): Promise<void> => {
    while (waiting.length > 0) {
      const together = waiting;
      try {
        const novelty = withoutWaiting(store.sqlite, () =>
          inbox.append(together.map(({ batch }) => batch)),
        );
        waiting = [];
        void flush(together, novelty);
      } catch (error) {
        if (isBusy(error)) {
          await waitLonger(error);
        } else {
          waiting = [];
          refuse(together, error);
        }
      }
    }
    isAppending = false;
  };
  return (batch) =>
    new Promise((resolve, reject) => {
      // Those that come while others wait go with them.
      waiting.push({ batch, resolve, reject, waitedMs: 0 });
      if (!isAppending) {
        isAppending = true;
        setImmediate(() => void append());
      }
    });
}

function refuse(together: readonly Waiting[], error: unknown): void {
  for (const { reject } of together) {
    reject(error);
  }
}

/** Often at first, since a turn of another writer is short. */
function pauseAfter(waitedMs: number): number {
  return waitedMs < 50 ? 2 : 10;
}

/** So far the server's clock may step back without a message seeming to arrive before an earlier one. */
const STEP_BACK_MAX_MS = 7 * 24 * 3_600_000;

/**
 * Tells the instant at which a message arrives, in the order of arrival: where the server's clock was set back
 * (by a week at most, since one that ran ahead by more was wrong), it goes on from the latest instant told until
 * the clock has caught up, also across restarts while the inbox holds a message.
 */
function openArrivalTimes({ sqlite }: Store, clock: Clock): () => number {
  let last = 0;
  let latest =
    sqlite.prepare<[], number | null>("SELECT max(known_at_ms) FROM inbox").pluck().get() ?? 0;
  return () => {
    const now = clock.now();
    if (now >= latest || latest - now > STEP_BACK_MAX_MS) {
      latest = now;
    } else if (now !== last) {
      latest++;
    }
    last = now;
    return latest;
  };
}

/** Rows of imports that a request waits for; more are learned while requests go on. */
const AWAITED_ROWS_MAX = 100_000;

/**
 * Lets a request wait until the messages of earlier imports are known. Where they are too many to wait
 * for, one that comes too early is answered as accepted, and left out by the seal.
 */
function openKnownImports(store: Store): (source: string) => Promise<void> {
  const pendingOf = openPendingImports(store);
  const learning = new Map<string, Promise<void>>();
  return async (source) => {
    const pending = pendingOf(source);
    if (pending.length === 0) {
      return;
    }
    const under = learning.get(source) ?? learnImports(store, source);
    learning.set(source, under);
    const done = under.finally(() => learning.delete(source));
    if (pending.reduce((sum, { rows }) => sum + rows, 0) <= AWAITED_ROWS_MAX) {
      await done;
    } else {
      // The next request tries again.
      done.catch(() => undefined);
    }
  };
}

function arrivalOf(call: unknown, envelope: Envelope): Arrival {
  const event = parseSegmentEvent(call, envelope);
  if (isRefusal(event)) {
    return setAside(call, event);
  }
  const { messageId, notes } = event;
  const lines = eventLines(event, envelope.rules);
  return "reason" in lines ? setAside(call, { messageId, ...lines }) : { messageId, lines, notes };
}

function setAside(call: unknown, refusal: Refusal): Arrival {
  const content = refusal.reason === NESTED_TOO_DEEP ? "" : JSON.stringify(call);
  return { refusal, content };
}

function resultOf(arrival: Arrival, isNew: boolean | Refusal): MessageResult {
  if ("refusal" in arrival) {
    const { messageId, field, reason } = arrival.refusal;
    return { messageId, status: "rejected", field, reason };
  }
  if (typeof isNew === "object") {
    return { ...isNew, status: "rejected" };
  }
  return { messageId: arrival.messageId, status: isNew ? "accepted" : "duplicate" };
}
