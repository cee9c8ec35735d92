import type { Store } from "../base/index.ts";
import type { Consent } from "./consent-store.ts";
import { consentsOf, findCustomerId } from "./customer-store.ts";
import type { Identifier } from "./identity-rules.ts";

/** A trait as it stands: the latest word of any of the customer's identifiers. Instants in epoch ms. */
export interface ProfileTrait {
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
  readonly occurredAt: number;
}

/** An identifier, where it was first seen, and since when it is known to be this customer's (0: always). */
export interface ProfileIdentifier extends Identifier {
  readonly source: string;
  readonly firstSeenAt: number;
  readonly linkedAt: number;
}

/** What a customer did over one channel of a source. */
export interface ProfileChannel {
  readonly channel: string;
  readonly source: string;
  readonly events: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** An order with what came back of it; `orderedAt` is null where only its refund is known. */
export interface ProfileOrder {
  readonly source: string;
  readonly orderId: string;
  readonly orderedAt: number | null;
  readonly lastAt: number;
  readonly currency: string | null;
  readonly lines: number;
  readonly quantity: number;
  readonly amount: number;
  readonly refundedQuantity: number;
  readonly refundedAmount: number;
  readonly isCancelled: boolean;
}

/** What was ordered and came back, in one currency (null where orders name none). */
export interface OrderTotal {
  readonly currency: string | null;
  readonly orders: number;
  readonly cancelledOrders: number;
  readonly amount: number;
  readonly refundedAmount: number;
  readonly firstAt: number | null;
  readonly lastAt: number | null;
}

/** A line of the timeline. */
export interface TimelineLine {
  readonly occurredAt: number;
  readonly source: string;
  readonly channel: string | null;
  readonly type: string;
  readonly event: string | null;
  readonly orderId: string | null;
  readonly productId: string | null;
  readonly productName: string | null;
  readonly quantity: number | null;
  readonly price: number | null;
  readonly currency: string | null;
}

/** How often something happened among the lines at hand. */
export interface EventCount {
  readonly event: string;
  readonly count: number;
  readonly lastAt: number;
}

/** Everything at hand of one customer. */
export interface Profile {
  readonly id: number;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number | null;
  readonly identifiers: readonly ProfileIdentifier[];
  readonly traits: readonly ProfileTrait[];
  readonly consents: readonly Consent[];
  readonly channels: readonly ProfileChannel[];
  readonly totals: readonly OrderTotal[];
  /** The latest first. */
  readonly orders: readonly ProfileOrder[];
  /** By event, among the recent lines (at most a thousand per identifier). */
  readonly recent: readonly EventCount[];
  /** The latest first. */
  readonly timeline: readonly TimelineLine[];
}

/** How much of the lists to read. */
export interface ProfileLimits {
  readonly orders: number;
  readonly events: number;
}

/** The profile behind an identifier. Throws `not-found` where there is none. */
export function readProfile(store: Store, identifier: Identifier, limits: ProfileLimits): Profile {
  return profileOf(store, findCustomerId(store, identifier), limits);
}

function profileOf(store: Store, id: number, limits: ProfileLimits): Profile {
  const { sqlite } = store;
  const all = <Row>(sql: string, ...more: number[]): Row[] =>
    sqlite.prepare<number[], Row>(sql).all(id, ...more);
  const channels = all<ProfileChannel>(CHANNELS);
  return {
    id,
    firstSeenAt:
      sqlite
        .prepare<[number], number>("SELECT first_seen_at FROM customer WHERE id = ?")
        .pluck()
        .get(id) ?? 0,
    lastSeenAt: channels.reduce<number | null>(
      (latest, one) => Math.max(latest ?? one.lastAt, one.lastAt),
      null,
    ),
    identifiers: all<ProfileIdentifier>(
      "SELECT type, value, source, first_seen_at AS firstSeenAt, linked_at AS linkedAt FROM identifier WHERE customer_id = ? ORDER BY id",
    ),
    traits: all<ProfileTrait & { readonly value: string }>(TRAITS).map((trait) => ({
      ...trait,
      value: JSON.parse(trait.value) as unknown,
    })),
    consents: consentsOf(store, id),
    channels,
    totals: all<OrderTotal>(TOTALS),
    orders: all<Omit<ProfileOrder, "isCancelled"> & { readonly isCancelled: number }>(
      ORDERS,
      limits.orders,
    ).map((order) => ({ ...order, isCancelled: order.isCancelled === 1 })),
    recent: all<EventCount>(RECENT),
    timeline: all<TimelineLine>(TIMELINE, limits.events),
  };
}

const OWN = "FROM identifier i JOIN";

const CHANNELS = `SELECT a.channel, a.source, sum(a.event_count) AS events, min(a.first_at) AS firstAt, max(a.last_at) AS lastAt
  ${OWN} identifier_activity a ON a.identifier_id = i.id WHERE i.customer_id = ? GROUP BY 1, 2 ORDER BY 5 DESC, 1, 2`;

const TRAITS = `SELECT name, value, source, occurred_at AS occurredAt FROM (
    SELECT t.*, row_number() OVER (PARTITION BY t.name ORDER BY t.occurred_at DESC, t.known_at DESC, t.value DESC) AS position
    ${OWN} trait t ON t.identifier_id = i.id WHERE i.customer_id = ?)
  WHERE position = 1 ORDER BY name`;

/** An order that several of the customer's identifiers had part in is one order. */
const WHOLE_ORDERS = `SELECT o.source, o.order_id, min(o.ordered_at) AS ordered_at, max(o.last_at) AS last_at, max(o.currency) AS currency,
    sum(o.line_count) AS line_count, sum(o.quantity) AS quantity, sum(o.amount) AS amount,
    CASE WHEN max(o.is_cancelled) = 1 THEN sum(o.quantity) ELSE sum(o.refunded_quantity) END AS refunded_quantity,
    CASE WHEN max(o.is_cancelled) = 1 THEN sum(o.amount) ELSE sum(o.refunded_amount) END AS refunded_amount,
    max(o.is_cancelled) AS is_cancelled
  ${OWN} order_summary o ON o.identifier_id = i.id WHERE i.customer_id = ? GROUP BY 1, 2`;

const TOTALS = `SELECT currency, sum(line_count > 0) AS orders, sum(is_cancelled) AS cancelledOrders, round(sum(amount), 4) AS amount,
    round(sum(refunded_amount), 4) AS refundedAmount, min(ordered_at) AS firstAt, max(ordered_at) AS lastAt
  FROM (${WHOLE_ORDERS}) WHERE line_count > 0 OR refunded_amount <> 0 GROUP BY currency ORDER BY 4 DESC`;

const ORDERS = `SELECT source, order_id AS orderId, ordered_at AS orderedAt, last_at AS lastAt, currency, line_count AS lines, quantity,
    round(amount, 4) AS amount, refunded_quantity AS refundedQuantity, round(refunded_amount, 4) AS refundedAmount, is_cancelled AS isCancelled
  FROM (${WHOLE_ORDERS}) ORDER BY coalesce(ordered_at, last_at) DESC, source, order_id LIMIT ?`;

/** A profile tells of the latest lines of each identifier; more stay at hand for features. */
const IS_RECENT = `r.identifier_id = i.id AND r.occurred_at >= coalesce((
  SELECT occurred_at FROM recent_event WHERE identifier_id = i.id ORDER BY occurred_at DESC LIMIT 1 OFFSET 999), 0)`;

const RECENT = `SELECT coalesce(r.event, r.type) AS event, count(*) AS count, max(r.occurred_at) AS lastAt
  ${OWN} recent_event r ON ${IS_RECENT} WHERE i.customer_id = ? AND r.line = 0 GROUP BY 1 ORDER BY 2 DESC, 1`;

const TIMELINE = `SELECT r.occurred_at AS occurredAt, r.source, r.channel, r.type, r.event, r.order_id AS orderId, r.product_id AS productId,
    r.product_name AS productName, r.quantity, r.price, r.currency
  ${OWN} recent_event r ON ${IS_RECENT} WHERE i.customer_id = ?
  ORDER BY r.occurred_at DESC, r.source, r.message_id, r.line LIMIT ?`;
