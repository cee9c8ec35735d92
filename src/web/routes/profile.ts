import { z } from "zod";
import { toIso } from "../../base/index.ts";
import { IDENTIFIER_TYPE_PATTERN } from "../../collection/index.ts";
import { customerChanges, findCustomer, type Profile, readProfile } from "../../customers/index.ts";
import { count, instant, noParameters } from "../answers.ts";
import { type Answer, type Endpoint, endpoint } from "../endpoint.ts";
import { DEFAULT_LIMIT, limitParameter } from "../input.ts";

/** Whom an address is about. */
export const byIdentifier = z.strictObject({
  type: z
    .string()
    .regex(IDENTIFIER_TYPE_PATTERN, "expected a type such as user_id, email or anonymous_id"),
  id: z.string().min(1),
});

const text = z.string().nullable();
const amount = z.number();

const profile = z
  .strictObject({
    id: count,
    firstSeenAt: instant,
    lastSeenAt: instant.nullable(),
    identifiers: z.array(
      z.strictObject({
        type: z.string(),
        value: z.string(),
        source: z.string(),
        firstSeenAt: instant,
        linkedAt: instant
          .nullable()
          .meta({ description: "since when it is known to be this customer's; null is always" }),
      }),
    ),
    traits: z.array(
      z.strictObject({
        name: z.string(),
        value: z.unknown(),
        source: z.string(),
        occurredAt: instant,
      }),
    ),
    consents: z.array(
      z.strictObject({
        purpose: z.string(),
        status: z.enum(["granted", "denied"]),
        source: z.string(),
        basis: z.string(),
        jurisdiction: text,
        recordedAt: instant,
      }),
    ),
    channels: z.array(
      z.strictObject({
        channel: z.string(),
        source: z.string(),
        events: count,
        firstAt: instant,
        lastAt: instant,
      }),
    ),
    totals: z.array(
      z.strictObject({
        currency: text,
        orders: count,
        cancelledOrders: count,
        amount,
        refundedAmount: amount,
        firstAt: instant.nullable(),
        lastAt: instant.nullable(),
      }),
    ),
    orders: z.array(
      z.strictObject({
        source: z.string(),
        orderId: z.string(),
        orderedAt: instant.nullable(),
        lastAt: instant,
        currency: text,
        lines: count,
        quantity: amount,
        amount,
        refundedQuantity: amount,
        refundedAmount: amount,
        isCancelled: z.boolean(),
      }),
    ),
    recent: z
      .array(z.strictObject({ event: z.string(), count, lastAt: instant }))
      .meta({ description: "by event, among the lines at hand: at most 1,000 per identifier" }),
    timeline: z.array(
      z.strictObject({
        occurredAt: instant,
        source: z.string(),
        channel: text,
        type: z.string(),
        event: text,
        orderId: text,
        productId: text,
        productName: text,
        quantity: amount.nullable(),
        price: amount.nullable(),
        currency: text,
      }),
    ),
  })
  .meta({ id: "Profile" });

const one = endpoint({
  path: "/v1/customers/{type}/{id}/profile",
  operation: "getProfile",
  summary: "One person: identifiers, traits, consents, channels, orders, returns, timeline",
  isPersonal: true,
  params: byIdentifier,
  query: z.strictObject({ events: limitParameter, orders: limitParameter }),
  body: profile,
  read: (
    { store },
    { params: { type, id }, query: { events = DEFAULT_LIMIT, orders = DEFAULT_LIMIT } },
  ) => profileAnswer(readProfile(store, { type, value: id }, { events, orders })),
});

const changes = endpoint({
  path: "/v1/customers/{type}/{id}/changes",
  operation: "getCustomerChanges",
  summary:
    "The merges and unmerges a customer had part in, the latest first, with what caused them",
  isPersonal: true,
  params: byIdentifier,
  query: noParameters,
  body: z.strictObject({
    data: z.array(
      z.strictObject({
        id: count,
        kind: z.enum(["merge", "unmerge"]),
        customerId: count,
        otherCustomerId: count,
        link: z.array(z.strictObject({ type: z.string(), value: z.string() })).nullable(),
        reason: z.string(),
        recordedAt: instant,
      }),
    ),
  }),
  read: ({ store }, { params: { type, id } }) => ({
    data: customerChanges(store, findCustomer(store, { type, value: id }).id).map((change) => ({
      ...change,
      recordedAt: toIso(change.recordedAt),
    })),
  }),
});

function profileAnswer(found: Profile): Answer<z.output<typeof profile>> {
  const optional = (at: number | null): string | null => (at === null ? null : toIso(at));
  return {
    ...found,
    firstSeenAt: toIso(found.firstSeenAt),
    lastSeenAt: optional(found.lastSeenAt),
    identifiers: found.identifiers.map((item) => ({
      ...item,
      firstSeenAt: toIso(item.firstSeenAt),
      linkedAt: item.linkedAt === 0 ? null : toIso(item.linkedAt),
    })),
    traits: found.traits.map((item) => ({ ...item, occurredAt: toIso(item.occurredAt) })),
    consents: found.consents.map((item) => ({ ...item, recordedAt: toIso(item.recordedAt) })),
    channels: found.channels.map((item) => ({
      ...item,
      firstAt: toIso(item.firstAt),
      lastAt: toIso(item.lastAt),
    })),
    totals: found.totals.map((item) => ({
      ...item,
      firstAt: optional(item.firstAt),
      lastAt: optional(item.lastAt),
    })),
    orders: found.orders.map((item) => ({
      ...item,
      orderedAt: optional(item.orderedAt),
      lastAt: toIso(item.lastAt),
    })),
    recent: found.recent.map((item) => ({ ...item, lastAt: toIso(item.lastAt) })),
    timeline: found.timeline.map((item) => ({ ...item, occurredAt: toIso(item.occurredAt) })),
  };
}

/** One person as known so far, and how it came to be one. */
export const profileEndpoints: readonly Endpoint[] = [one, changes];
