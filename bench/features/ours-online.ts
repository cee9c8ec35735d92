import { join } from "node:path";
import { fixedClock, openStore, seededRandom } from "../../src/base/index.ts";
import { createCollector, createWriteKey } from "../../src/collection/index.ts";
import { createLiveResolver, findCustomerId } from "../../src/customers/index.ts";
import { type FeatureService, openOnlineStore } from "../../src/features/index.ts";
import { peakMiB } from "./measured.ts";
import { quantilesOf } from "./quantiles.ts";

/**
 * Reads the thirteen features' counterparts of one customer after the other out of a store, and of
 * customers after one more event of theirs was durably taken in and resolved; prints quantiles in ms.
 */
const [folder = "", cutoff = "", customers = "0", reads = "0", writes = "0"] =
  process.argv.slice(2);

const SERVICE: FeatureService = {
  name: "thirteen",
  version: 1,
  entity: "customer",
  features: [
    "browsing_events_90d",
    "customer_recency_days",
    "customer_frequency",
    "customer_monetary",
    "browsed_categories_30d",
    "sessions_1d",
    "sessions_7d",
    "sessions_30d",
    "sessions_90d",
    "customer_gap_mean_days",
    "customer_gap_std_days",
    "view_recency_days",
    "open_carts_90d",
  ],
};

const store = await openStore(join(folder, "store"));
const clock = fixedClock(cutoff);
const online = openOnlineStore(store);
const random = seededRandom(1);
const collector = createCollector(store, clock);
const resolve = createLiveResolver(store, clock);
const source = "live";
createWriteKey(store, clock, source);

const users = store.sqlite
  .prepare<[number], string>(
    "SELECT value FROM identifier WHERE type = 'user_id' ORDER BY id LIMIT ?",
  )
  .pluck()
  .all(Number(customers));

function read(user: string): void {
  const id = findCustomerId(store, { type: "user_id", value: user });
  online.readAt(SERVICE, id, clock.now() + 1);
}

async function write(user: string): Promise<void> {
  const call = {
    type: "track",
    event: "Product Viewed",
    userId: user,
    messageId: `${process.pid}-${random.below(2 ** 31)}-${user}`,
    properties: { product_id: "p1", category: "1" },
  };
  await collector.collect({ source, calls: [call] });
  while (resolve());
}

async function timed(times: number, work: (user: string) => unknown): Promise<number[]> {
  const milliseconds: number[] = [];
  for (let round = 0; round < times; round++) {
    const user = users[random.below(users.length)] ?? "";
    const started = performance.now();
    await work(user);
    milliseconds.push(performance.now() - started);
  }
  return milliseconds;
}

await timed(200, read);
const readOnly = await timed(Number(reads), read);
const writeAndRead = await timed(Number(writes), async (user) => {
  await write(user);
  read(user);
});
store.close();
process.stdout.write(
  `${JSON.stringify({
    customers: users.length,
    read: quantilesOf(readOnly),
    writeAndRead: quantilesOf(writeAndRead),
    peakMiB: peakMiB(),
  })}\n`,
);
