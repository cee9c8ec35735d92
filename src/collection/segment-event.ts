import { createHash } from "node:crypto";
import { campaignOf, channelOf } from "./call-channel.ts";
import {
  consentOf,
  identifiersOf,
  type Note,
  type PersonalParts,
  traitsOf,
} from "./call-person.ts";
import { deviceOf } from "./device.ts";
import { type Channel, EVENT_TYPES, type EventType } from "./event.ts";
import {
  type Fault,
  isObject,
  type JsonObject,
  jsonBytesAtMost,
  readInstant,
  readObject,
  readText,
  writableJson,
} from "./read-value.ts";
import type { SourceRules } from "./source-rules.ts";

/** A call of the Segment HTTP spec, read. Instants in epoch milliseconds. */
export interface SegmentEvent {
  readonly messageId: string;
  readonly type: EventType;
  /** The name of a track call in our words, else null. */
  readonly name: string | null;
  readonly occurredAt: number;
  readonly knownAt: number;
  readonly userId: string | null;
  readonly anonymousId: string | null;
  readonly properties: JsonObject;
  /** What is kept of the call as it came, as JSON: properties, context, names and ids. */
  readonly content: string;
  /** JSON as in the history; null where nothing is said. */
  readonly identifiers: string | null;
  readonly traits: string | null;
  readonly consent: string | null;
  readonly channel: Channel | null;
  readonly campaign: string | null;
  readonly device: string | null;
  readonly isClaim: boolean;
  /** What there is to count of it; reading its lines adds to it. */
  readonly notes: Note[];
}

/** Why a call is refused. `messageId` is null where it has none that can be read. */
export interface Refusal extends Fault {
  readonly messageId: string | null;
}

/** What a request says of all its calls, who sent it, and when it arrived. */
export interface Envelope {
  readonly receivedAt: number;
  readonly sentAt?: unknown;
  readonly context?: unknown;
  /** What the shared context adds to each call that has none of its own; see sharedContextBytes. */
  readonly contextBytes?: number;
  /** How many requests were read at the same millisecond before it. */
  readonly sameInstant?: number;
  /** How often each content without a message id came in this request so far; reading a call adds to it. */
  readonly repeats?: Map<string, number>;
  /** The call that the address names, which counts more than the body's `type`. */
  readonly type?: EventType;
  readonly rules: SourceRules;
  /** Whether anybody could have sent it: its key is public. */
  readonly isClaim: boolean;
}

/** The reason of a call that is nested more than 100 deep. */
export const NESTED_TOO_DEEP = "nested too deep";

const EVENT_BYTES_MAX = 32_768;
const MESSAGE_ID_LENGTH_MAX = 100;

interface Call extends PersonalParts {
  readonly messageId: string | null;
  readonly type: EventType;
  readonly event: string | null;
  readonly groupId: string | null;
  readonly name: string | null;
  readonly category: string | null;
  readonly channel: unknown;
  readonly timestamp: number | null;
  readonly originalTimestamp: number | null;
  readonly sentAt: number | null;
}

/**
 * Reads one call. Lenient where SDKs differ (numbers as ids, [] for {}, unknown fields are ignored);
 * else it is refused with the first field at fault and what was expected. A call without a message
 * id gets one from its content (contentId).
 */
export function parseSegmentEvent(given: unknown, envelope: Envelope): SegmentEvent | Refusal {
  const shape = refuseShape(given, envelope);
  if (shape !== undefined || !isObject(given)) {
    const fault = shape ?? { field: "event", reason: "expected an object" };
    return { messageId: messageIdOf(given), ...fault };
  }
  const faults: Fault[] = [];
  const call = readCall(given, envelope, faults);
  const messageId = call.messageId ?? contentId(given, call, envelope);
  const [fault] = faults;
  if (fault !== undefined) {
    return { messageId: messageIdOf(given), ...fault };
  }
  const missing = missingOf(call);
  return missing === undefined ? eventOf(call, messageId, envelope) : { messageId, ...missing };
}

function readCall(raw: JsonObject, envelope: Envelope, faults: Fault[]): Call {
  return {
    messageId: readText(raw["messageId"], "messageId", faults, MESSAGE_ID_LENGTH_MAX),
    type: readType(envelope.type ?? raw["type"], faults),
    event: readText(raw["event"], "event", faults),
    userId: readText(raw["userId"], "userId", faults),
    anonymousId: readText(raw["anonymousId"], "anonymousId", faults),
    groupId: readText(raw["groupId"], "groupId", faults),
    previousId: readText(raw["previousId"], "previousId", faults),
    name: readText(raw["name"], "name", faults),
    category: readText(raw["category"], "category", faults),
    channel: raw["channel"],
    timestamp: readInstant(raw["timestamp"], "timestamp", faults),
    originalTimestamp: readInstant(raw["originalTimestamp"], "originalTimestamp", faults),
    sentAt: readInstant(raw["sentAt"] ?? envelope.sentAt, "sentAt", faults),
    properties: readObject(raw["properties"], "properties", faults),
    traits: readObject(raw["traits"], "traits", faults),
    context: readObject(raw["context"] ?? envelope.context, "context", faults),
  };
}

function readType(given: unknown, faults: Fault[]): EventType {
  const type = EVENT_TYPES.find((one) => one === given);
  if (type === undefined) {
    faults.push({ field: "type", reason: `expected one of ${EVENT_TYPES.join(", ")}` });
  }
  return type ?? "track";
}

function eventOf(call: Call, messageId: string, envelope: Envelope): SegmentEvent {
  const { type, userId, anonymousId, properties, context } = call;
  const { rules, isClaim, receivedAt } = envelope;
  const sentName = type === "track" ? call.event : null;
  const name = sentName === null ? null : (rules.events.get(sentName) ?? sentName);
  const notes: Note[] = [];
  return {
    messageId,
    type,
    name,
    occurredAt: occurredAtOf(call, receivedAt),
    knownAt: receivedAt,
    userId,
    anonymousId,
    properties,
    content: contentOf(call, name === sentName ? null : sentName),
    identifiers: identifiersOf(call, rules, notes),
    traits: traitsOf(call),
    consent: consentOf(context, rules, notes),
    channel: channelOf(call, name, rules),
    campaign: campaignOf(properties, context, rules),
    device: deviceOf(context),
    isClaim,
    notes,
  };
}

/** Why something is no call at all, whatever it holds; the shared context counts where it has none of its own. */
function refuseShape(given: unknown, { contextBytes = 0 }: Envelope): Fault | undefined {
  const shared = isObject(given) && (given["context"] ?? null) === null ? contextBytes : 0;
  const atMost = jsonBytesAtMost(given) + shared;
  if (atMost <= EVENT_BYTES_MAX) {
    return undefined;
  }
  if (atMost === Infinity) {
    return { field: shared === Infinity ? "context" : "event", reason: NESTED_TOO_DEEP };
  }
  const text = JSON.stringify(given);
  // A character is at most three bytes.
  return text.length * 3 + shared > EVENT_BYTES_MAX &&
    Buffer.byteLength(text) + shared > EVENT_BYTES_MAX
    ? { field: "event", reason: `larger than ${EVENT_BYTES_MAX} bytes as JSON` }
    : undefined;
}

/** Bytes of a shared context as JSON; infinite where it is nested more than 100 deep. */
export function sharedContextBytes(context: unknown): number {
  if (context === undefined || jsonBytesAtMost(context) === Infinity) {
    return context === undefined ? 0 : Infinity;
  }
  return Buffer.byteLength(JSON.stringify(context));
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

function missingOf(call: Call): Fault | undefined {
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

/** `sentName` is the event's own name where it has another one here. */
function contentOf(call: Call, sentName: string | null): string {
  const { properties, name, category, groupId, previousId } = call;
  const content: Record<string, unknown> = {};
  keep(content, "properties", properties);
  keep(content, "traits", call.type === "identify" ? null : call.traits);
  keep(content, "context", withoutTraits(call.context));
  keep(content, "name", name);
  keep(content, "category", category);
  keep(content, "groupId", groupId);
  keep(content, "previousId", previousId);
  keep(content, "event", sentName);
  return writableJson(content);
}

function keep(
  content: Record<string, unknown>,
  field: string,
  value: string | JsonObject | null,
): void {
  if (value !== null && (typeof value === "string" || Object.keys(value).length > 0)) {
    content[field] = value;
  }
}

function withoutTraits(context: JsonObject): JsonObject {
  return Object.hasOwn(context, "traits")
    ? Object.fromEntries(Object.entries(context).filter(([field]) => field !== "traits"))
    : context;
}

/**
 * The id of a call that has none: a hash of its content without `sentAt`.
 *
 * A call with a time of its own has the same id whenever it comes, so a request that is sent again counts once. Calls
 * of one request that are the same in everything are as many events: the second and later ones add their number
 * among them, which is the same again when the request is. In two requests they are one event: that the first one
 * was sent again is likelier than that a client did the same twice within its clock's millisecond. A call
 * without a time is new each time it comes: its id adds when that was.
 */
function contentId(raw: JsonObject, call: Call, envelope: Envelope): string {
  const isTimed = call.timestamp !== null || call.originalTimestamp !== null;
  const { receivedAt, sameInstant = 0, repeats } = envelope;
  const arrival = sameInstant === 0 ? [receivedAt] : [receivedAt, sameInstant];
  const id = hashOf([call.type, { ...raw, sentAt: null }, ...(isTimed ? [] : arrival)]);
  const before = repeats?.get(id) ?? 0;
  repeats?.set(id, before + 1);
  return before === 0 ? id : hashOf([id, before]);
}

function hashOf(content: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 40);
}

function messageIdOf(given: unknown): string | null {
  return isObject(given)
    ? readText(given["messageId"], "messageId", [], MESSAGE_ID_LENGTH_MAX)
    : null;
}
