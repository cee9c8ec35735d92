import fc from "fast-check";
import { type Clock, DAY_MS, type Store } from "../../src/base/index.ts";
import { createCollector, createWriteKey } from "../../src/collection/index.ts";
import { createLiveResolver } from "../../src/customers/index.ts";
import type { OnlineStore } from "../../src/features/index.ts";

/** A clock that a test sets. */
export interface SettableClock extends Clock {
  set(now: number): void;
}

export function settableClock(start: number): SettableClock {
  let now = start;
  return { now: () => now, set: (to) => (now = to) };
}

/** A call of a random shop's day: how long after the one before, by whom, what, and how late it is told. */
export interface StreamStep {
  readonly waitMs: number;
  readonly lateMs: number;
  readonly who: readonly ["user" | "visitor" | "both", number];
  readonly what: Readonly<Record<string, unknown>>;
}

const HOUR_MS = 3_600_000;
const PRODUCTS = ["A", "B", "C"];
const CATEGORIES = ["soap", "oil", undefined];

const product = fc.record({
  product_id: fc.constantFrom(...PRODUCTS),
  category: fc.constantFrom(...CATEGORIES),
  quantity: fc.constantFrom(1, 2, 3, 0.25),
  price: fc.constantFrom(0.1, 4.95, 19.99, 120),
});
const orderId = fc.constantFrom("o1", "o2", "o3", "o4");

function track(event: string, properties: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return properties.map((one) => ({ type: "track", event, properties: one }));
}

const order = track(
  "Order Completed",
  fc.record({ order_id: orderId, products: fc.array(product, { minLength: 1, maxLength: 3 }) }),
);
const refund = fc.oneof(
  track(
    "Order Refunded",
    fc.record({ order_id: orderId, products: fc.array(product, { minLength: 1, maxLength: 2 }) }),
  ),
  track("Order Refunded", fc.record({ order_id: orderId })),
  track("Order Cancelled", fc.record({ order_id: orderId })),
);
const browse = fc
  .tuple(
    fc.constantFrom(
      "Product Viewed",
      "Product Added",
      "Product Removed",
      "Products Searched",
      "Checkout Started",
    ),
    product,
  )
  .map(([event, properties]) => ({ type: "track", event, properties }));
const touch = fc
  .constantFrom(
    "Email Delivered",
    "Email Opened",
    "Email Link Clicked",
    "Unsubscribed",
    "Live Chat Conversation Started",
    "Ad Clicked",
    "Coupon Applied",
  )
  .map((event) => ({ type: "track", event, properties: {} }));
const context = fc.constantFrom(
  {},
  { context: { device: { type: "ios" } }, channel: "app" },
  { context: { campaign: { name: "spring" }, userAgent: "Mozilla/5.0 (X11; Linux x86_64)" } },
);

const what = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: browse },
      { weight: 3, arbitrary: order },
      { weight: 2, arbitrary: refund },
      { weight: 1, arbitrary: touch },
      { weight: 1, arbitrary: fc.constant({ type: "page", name: "Home" }) },
    ),
    context,
  )
  .map(([call, said]) => ({ ...call, ...said }));

/** Ties, bursts, the thirty minutes that end a session, days, and months. */
const waitMs = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 0, 1, 999) },
  { weight: 3, arbitrary: fc.constantFrom(1_799_999, 1_800_000, 1_800_001, 60_000) },
  { weight: 3, arbitrary: fc.integer({ min: HOUR_MS, max: 2 * DAY_MS }) },
  { weight: 1, arbitrary: fc.integer({ min: 10 * DAY_MS, max: 100 * DAY_MS }) },
);

export const streamStep: fc.Arbitrary<StreamStep> = fc.record({
  waitMs,
  lateMs: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 * DAY_MS }) },
  ),
  who: fc.tuple(fc.constantFrom("user", "visitor", "both"), fc.integer({ min: 1, max: 3 })),
  what,
});

/** Starts of streams: before both clock changes of Amsterdam and New York, and the 53rd week of 2020. */
export const streamStart: fc.Arbitrary<number> = fc.constantFrom(
  ...[
    "2021-03-27T22:30:00Z",
    "2020-12-30T23:00:00Z",
    "2024-10-26T21:00:00Z",
    "2023-11-05T04:00:00Z",
  ].map((text) => Date.parse(text)),
);

/** An order is one buyer's: what another sends back of it is linked in the history alone (docs/features.md). */
function ownOrder(what: StreamStep["what"], buyer: string): Readonly<Record<string, unknown>> {
  const properties = (what["properties"] ?? {}) as Readonly<Record<string, unknown>>;
  const id = properties["order_id"];
  return typeof id === "string"
    ? { ...what, properties: { ...properties, order_id: `${buyer}-${id}` } }
    : what;
}

/** Takes steps into a store as they come, each resolved before the next. */
export function openStream(
  store: Store,
  clock: SettableClock,
  online?: OnlineStore,
): (step: StreamStep) => Promise<void> {
  createWriteKey(store, clock, "shop");
  const collector = createCollector(store, clock);
  const resolve = createLiveResolver(store, clock, online?.take);
  let number = 0;
  return async (step) => {
    clock.set(clock.now() + step.waitMs);
    const [kind, person] = step.who;
    const call = {
      ...ownOrder(step.what, `${kind === "visitor" ? "v" : "u"}${person}`),
      messageId: `m${++number}`,
      timestamp: new Date(clock.now() - step.lateMs).toISOString(),
      ...(kind === "visitor" ? {} : { userId: `u${person}` }),
      ...(kind === "user" ? {} : { anonymousId: `v${person}` }),
    };
    const [result] = await collector.collect({ source: "shop", calls: [call] });
    // Who was erased is refused.
    if (result?.status !== "accepted" && result?.reason !== "erased on request") {
      throw new Error(`not accepted: ${JSON.stringify(result)}`);
    }
    while (resolve());
  };
}
