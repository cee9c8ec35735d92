import { openStore, type Store, seededRandom, systemClock } from "../../src/base/index.ts";
import { createCollector, createWriteKey } from "../../src/collection/index.ts";
import { resolveInbox } from "../../src/customers/index.ts";

/** So many customers of so many recent lines each are in the store. */
export const SHOPPERS = 200;
const EVENTS_EACH = 500;
const DAY_MS = 86_400_000;
const EVENTS = [
  "Product Viewed",
  "Product Viewed",
  "Product Added",
  "Products Searched",
  "Order Completed",
];

const random = seededRandom(7);
let numbered = 0;

/** One of the shoppers, by chance. */
export function anyShopper(): number {
  return random.below(SHOPPERS);
}

/** What a shopper does at an instant, by chance: one in five is an order. */
export function call(user: number, at: number): object {
  const event = EVENTS[random.below(EVENTS.length)] ?? "";
  const product = {
    product_id: `p${random.below(300)}`,
    category: `c${random.below(20)}`,
    price: 9.95,
    quantity: 1,
  };
  return {
    type: "track",
    event,
    userId: `u${user}`,
    messageId: `m${++numbered}`,
    timestamp: new Date(at).toISOString(),
    properties:
      event === "Order Completed" ? { order_id: `o${numbered}`, products: [product] } : product,
  };
}

/** A store of the shoppers, resolved, and the key of its source `shop`. */
export async function openShop(
  folder: string,
): Promise<{ readonly store: Store; readonly key: string }> {
  const store = await openStore(folder);
  const { key } = createWriteKey(store, systemClock, "shop");
  const collector = createCollector(store, systemClock);
  const now = systemClock.now();
  for (let user = 0; user < SHOPPERS; user++) {
    const calls = Array.from({ length: EVENTS_EACH }, () =>
      call(user, now - random.below(60 * DAY_MS)),
    );
    await collector.collect({ source: "shop", calls });
  }
  await resolveInbox(store, systemClock);
  return { store, key };
}

/**
 * Begins work so many times a second, each at its time whatever became of those before, and gathers how long each
 * took, in ms.
 */
export async function atRate(
  rate: number,
  seconds: number,
  work: () => Promise<number>,
): Promise<number[]> {
  const running: Promise<number>[] = [];
  const started = performance.now();
  while (performance.now() - started < seconds * 1_000) {
    const due = Math.floor(((performance.now() - started) / 1_000) * rate) + 1;
    while (running.length < due) {
      running.push(work());
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Promise.all(running);
}
