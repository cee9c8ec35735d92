import { createHash } from "node:crypto";
import { z } from "zod";
import { parseInstant, ServiceError } from "../base/index.ts";
import { EVENT_TYPES, type EventType } from "./event.ts";

/** A call of the Segment HTTP spec, read. Instants in epoch milliseconds. */
export interface SegmentEvent {
  readonly messageId: string;
  readonly type: EventType;
  /** The name of a track call, else null. */
  readonly name: string | null;
  readonly occurredAt: number;
  readonly knownAt: number;
  readonly userId: string | null;
  readonly anonymousId: string | null;
  readonly properties: JsonObject;
  /** What is kept of the call as it came: properties or traits, context, names and ids. */
  readonly content: JsonObject;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Why a call is refused. `messageId` is null where it has none that can be read. */
export interface Refusal {
  readonly messageId: string | null;
  readonly field: string;
  readonly reason: string;
}

/** What a batch says of all its calls, and when it arrived. */
export interface Envelope {
  readonly receivedAt: number;
  readonly sentAt?: unknown;
  readonly context?: unknown;
  /** The call that the address names, which counts more than the body's `type`. */
  readonly type?: EventType;
}

/** The reason of a call that can't be written as JSON again. */
export const NESTED_TOO_DEEP = "nested too deep";

const EVENT_BYTES_MAX = 32_768;
const TEXT_LENGTH_MAX = 1_000;

/** What neither database keeps as it is: NUL and halves of surrogate pairs. */
const UNWRITABLE = /[\0\p{Surrogate}]/u;

/** Text to store, trimmed; numbers become text, and nothing is null. */
export function storableText(lengthMax = TEXT_LENGTH_MAX): z.ZodType<string | null> {
  return z
    .union([z.string(), z.number()], "expected text")
    .nullish()
    .transform((value) => (value === null || value === undefined ? "" : String(value).trim()))
    .refine((text) => text.length <= lengthMax, `expected at most ${lengthMax} characters`)
    .refine((text) => !UNWRITABLE.test(text), "expected Unicode text without NUL")
    .transform((text) => (text === "" ? null : text));
}

/** An object; PHP writes an empty one as []. */
const object = z
  .union([z.record(z.string(), z.unknown()), z.tuple([])], "expected an object")
  .nullish()
  .transform((value): JsonObject => (Array.isArray(value) ? {} : (value ?? {})));

const instant = z
  .string("expected an ISO 8601 instant with a zone")
  .nullish()
  .transform((text, check): number | null => {
    if (text === null || text === undefined) {
      return null;
    }
    try {
      const parsed = parseInstant(text.replace(/(\.\d{6})\d+/, "$1"), "time");
      if (parsed < 0) {
        check.addIssue("lies before 1970");
      }
      return parsed;
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        throw error;
      }
      check.addIssue("expected an ISO 8601 instant with a zone, such as 2011-09-17T08:00:00Z");
      return z.NEVER;
    }
  });

const callSchema = z.object({
  messageId: storableText(100),
  type: z.enum(EVENT_TYPES, `expected one of ${EVENT_TYPES.join(", ")}`),
  event: storableText(),
  userId: storableText(),
  anonymousId: storableText(),
  groupId: storableText(),
  previousId: storableText(),
  name: storableText(),
  category: storableText(),
  timestamp: instant,
  originalTimestamp: instant,
  sentAt: instant,
  properties: object,
  traits: object,
  context: object,
});

type Call = z.output<typeof callSchema>;

/**
 * Reads one call. Lenient where SDKs differ (numbers as ids, [] for {}, unknown fields are ignored);
 * else it is refused with the first field at fault and what was expected. A call without a message
 * id gets one from its content, so that a repeat is known as one.
 */
export function parseSegmentEvent(given: unknown, envelope: Envelope): SegmentEvent | Refusal {
  const refusal = refuseShape(given);
  if (refusal !== undefined) {
    return { messageId: messageIdOf(given), field: "event", reason: refusal };
  }
  const raw = given as JsonObject;
  const parsed = callSchema.safeParse({
    ...raw,
    type: envelope.type ?? raw["type"],
    sentAt: raw["sentAt"] ?? envelope.sentAt,
    context: raw["context"] ?? envelope.context,
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".") ?? "event";
    return { messageId: messageIdOf(given), field, reason: issue?.message ?? "invalid" };
  }
  const messageId = parsed.data.messageId ?? contentId(raw, parsed.data.type);
  const fault = faultOf(parsed.data);
  return fault === undefined
    ? eventOf(parsed.data, messageId, envelope.receivedAt)
    : { messageId, ...fault };
}

function eventOf(call: Call, messageId: string, receivedAt: number): SegmentEvent {
  const { type, userId, anonymousId, properties } = call;
  return {
    messageId,
    type,
    name: type === "track" ? call.event : null,
    occurredAt: occurredAtOf(call, receivedAt),
    knownAt: receivedAt,
    userId,
    anonymousId,
    properties,
    content: contentOf(call),
  };
}

/** Why something is no call at all, whatever it holds. */
function refuseShape(given: unknown): string | undefined {
  const text = jsonOf(given);
  if (text === undefined) {
    return NESTED_TOO_DEEP;
  }
  if (Buffer.byteLength(text) > EVENT_BYTES_MAX) {
    return `larger than ${EVENT_BYTES_MAX} bytes as JSON`;
  }
  return typeof given !== "object" || given === null || Array.isArray(given)
    ? "expected an object"
    : undefined;
}

/** Whether a call was refused. */
export function isRefusal(outcome: SegmentEvent | Refusal): outcome is Refusal {
  return "reason" in outcome;
}

/** What a type needs besides somebody. */
const NEEDED: Readonly<Partial<Record<EventType, "event" | "groupId" | "previousId">>> = {
  track: "event",
  group: "groupId",
  alias: "previousId",
};

function faultOf(call: Call): { readonly field: string; readonly reason: string } | undefined {
  if (call.userId === null && call.anonymousId === null) {
    return { field: "userId", reason: "expected a userId or an anonymousId" };
  }
  const needed = NEEDED[call.type];
  if (needed !== undefined && call[needed] === null) {
    return { field: needed, reason: `expected text: a ${call.type} call needs it` };
  }
  return undefined;
}

/** The sender's clock may be wrong, but not between writing the call and sending it. */
function occurredAtOf(call: Call, receivedAt: number): number {
  const stated = call.timestamp ?? call.originalTimestamp;
  if (stated === null) {
    return receivedAt;
  }
  const corrected = call.sentAt === null ? stated : receivedAt - (call.sentAt - stated);
  return Math.max(0, Math.min(corrected, receivedAt));
}

function contentOf(call: Call): JsonObject {
  const { properties, traits, context, name, category, groupId, previousId } = call;
  const kept = { properties, traits, context, name, category, groupId, previousId };
  return Object.fromEntries(
    Object.entries(kept).filter(
      ([, value]) => value !== null && (typeof value !== "object" || Object.keys(value).length > 0),
    ),
  );
}

function contentId(raw: JsonObject, type: EventType): string {
  // A retry is sent later, and is the same call.
  const content = JSON.stringify([type, { ...raw, sentAt: null }]);
  return createHash("sha256").update(content).digest("hex").slice(0, 40);
}

function messageIdOf(given: unknown): string | null {
  const id = (given as { messageId?: unknown } | null)?.messageId;
  const parsed = storableText(100).safeParse(id);
  return parsed.success ? parsed.data : null;
}

/** Undefined where it is nested deeper than it can be written. */
function jsonOf(given: unknown): string | undefined {
  try {
    return JSON.stringify(given);
  } catch (error) {
    if (error instanceof RangeError) {
      return undefined;
    }
    throw error;
  }
}
