import {
  BROWSING_EVENTS,
  CHANNEL_OF_EVENT,
  EventName,
  REFUND_EVENTS,
} from "../collection/index.ts";

/** What features see in an event. */
export const FACT_KINDS = [
  "order",
  "refund",
  "browse",
  "email",
  "contact",
  "ad",
  "coupon",
] as const;
export type FactKind = (typeof FACT_KINDS)[number];

/**
 * An event line as features see it, with its customer and its product group known. Quantities are whole
 * ten-thousandths, so that sums are exact in every order of rows and in every engine. A fact is a row of most
 * relations as it is: `at_ms` is when it happened, `day`, `hour` and `weekday` are those of it in UTC.
 */
// A type, not an interface, so that it is a Row.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type Fact = {
  readonly kind: FactKind;
  readonly event: string;
  readonly at_ms: number;
  /** When the line was known, and whose it is. */
  readonly known_at_ms: number;
  readonly product: string | null;
  readonly category: string | null;
  readonly channel: string | null;
  readonly campaign: string | null;
  readonly device: string | null;
  readonly quantity: number | null;
  readonly price: number | null;
  /** The purchase line it is, or takes back, where any of it was taken back. */
  readonly line_key: string | null;
  readonly day: number;
  readonly hour: number;
  readonly weekday: number;
};

/** The columns of facts in files, with their SQL types (DuckDB's words). */
export const FACT_COLUMNS = [
  ["customer_id", "INTEGER"],
  ["kind", "VARCHAR"],
  ["event", "VARCHAR"],
  ["occurred_at_ms", "BIGINT"],
  ["known_at_ms", "BIGINT"],
  ["product", "VARCHAR"],
  ["category", "VARCHAR"],
  ["channel", "VARCHAR"],
  ["campaign", "VARCHAR"],
  ["device", "VARCHAR"],
  ["quantity", "BIGINT"],
  ["price", "DOUBLE"],
  ["line_key", "BIGINT"],
] as const;

/** How many units of a fact's quantity, and of amounts, make one. */
export const SCALE = 10_000;

/** The product of an order that names none: such a shop is modelled per customer. */
export const ANY_PRODUCT = "*";

const COUPON_EVENTS = ["Coupon Entered", "Coupon Applied"];

const CHANNEL_EVENTS: readonly (readonly [string, FactKind])[] = [...CHANNEL_OF_EVENT].map(
  ([event, channel]) => [event, channel === "email" || channel === "ad" ? channel : "contact"],
);

/** The kind of every event that features read. */
export const KIND_OF_EVENT: ReadonlyMap<string, FactKind> = new Map<string, FactKind>([
  [EventName.orderCompleted, "order"],
  ...REFUND_EVENTS.map((event) => [event, "refund"] as const),
  ...BROWSING_EVENTS.map((event) => [event, "browse"] as const),
  ...COUPON_EVENTS.map((event) => [event, "coupon"] as const),
  ...CHANNEL_EVENTS,
]);

/** Events of these kinds are read for so many days; orders and refunds for good. */
export const LOOKBACK_DAYS = 90;
