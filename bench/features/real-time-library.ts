import { openCheckpointer, systemClock } from "../../src/base/index.ts";
import { createCollector } from "../../src/collection/index.ts";
import { createLiveResolver, findCustomerId } from "../../src/customers/index.ts";
import { findService, openOnlineStore } from "../../src/features/index.ts";
import { peakMiB } from "./measured.ts";
import { quantilesOf } from "./quantiles.ts";
import { anyShopper, atRate, call, openShop, SHOPPERS } from "./shoppers.ts";

/**
 * As real-time.ts, without HTTP: so many events a second are taken in durably, taken to their customers, and each
 * followed by a reading of the customer's whole vector; then readings alone. Prints quantiles in ms, from the call
 * on.
 */
const [folder = "", perSecond = "500", seconds = "20"] = process.argv.slice(2);
const CHECKPOINT_MS = 5_000;
const WARM_UP_SECONDS = 8;

const { store } = await openShop(folder);
const online = openOnlineStore(store);
const collector = createCollector(store, systemClock);
const resolve = createLiveResolver(store, systemClock, online.take);
const checkpointer = openCheckpointer(store.sqlite);
const service = findService("conversion_intent");

function read(user: number): void {
  const id = findCustomerId(store, { type: "user_id", value: `u${user}` });
  online.readAt(service, id, systemClock.now() + 1);
}

async function eventThenVector(): Promise<number> {
  const user = anyShopper();
  const text = JSON.stringify(call(user, systemClock.now()));
  const started = performance.now();
  await collector.collect({ source: "shop", calls: [JSON.parse(text)] });
  while (resolve());
  read(user);
  return performance.now() - started;
}

await atRate(Number(perSecond), WARM_UP_SECONDS, eventThenVector);
const timer = setInterval(() => void checkpointer.run(), CHECKPOINT_MS);
const together = await atRate(Number(perSecond), Number(seconds), eventThenVector);
clearInterval(timer);
await checkpointer.close();
const alone = Array.from({ length: 5_000 }, () => {
  const started = performance.now();
  read(anyShopper());
  return performance.now() - started;
});
store.close();
process.stdout.write(
  `${JSON.stringify({
    customers: SHOPPERS,
    read: quantilesOf(alone),
    writeAndRead: quantilesOf(together),
    peakMiB: peakMiB(),
  })}\n`,
);
