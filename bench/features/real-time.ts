import { systemClock } from "../../src/base/index.ts";
import { startServing } from "../serving.ts";
import { peakMiBOf } from "./measured.ts";
import { quantilesOf } from "./quantiles.ts";
import { anyShopper, atRate, call, openShop, SHOPPERS } from "./shoppers.ts";

/**
 * An API with customers of 500 recent events each; so many events a second arrive over HTTP, each at its time
 * whatever became of those before, and each sender asks for the customer's whole vector as soon as the event is
 * answered. As many readers ask without an event before. Prints quantiles in ms, from the sending on.
 */
const [folder = "", perSecond = "500", seconds = "20"] = process.argv.slice(2);
/** A server in service is warm. */
const WARM_UP_SECONDS = 8;
const { store, key } = await openShop(folder);
store.close();
const server = await startServing(folder, key);

const vector = (user: number): Promise<string> =>
  server.send("GET", `/v1/customers/user_id/u${user}/features?service=conversion_intent`);

async function eventThenVector(): Promise<number> {
  const user = anyShopper();
  const body = Buffer.from(JSON.stringify(call(user, systemClock.now())));
  const started = performance.now();
  await server.send("POST", "/v1/track", body);
  await vector(user);
  return performance.now() - started;
}

async function vectorAlone(): Promise<number> {
  const user = anyShopper();
  const started = performance.now();
  await vector(user);
  return performance.now() - started;
}

await atRate(Number(perSecond), WARM_UP_SECONDS, eventThenVector);
const alone: number[] = [];
for (let round = 0; round < 2_000; round++) {
  alone.push(await vectorAlone());
}
const together = await atRate(Number(perSecond), Number(seconds), eventThenVector);
const peak = peakMiBOf(server.pid);
await server.stop();
process.stdout.write(
  `${JSON.stringify({
    customers: SHOPPERS,
    read: quantilesOf(alone),
    writeAndRead: quantilesOf(together),
    peakMiB: peak,
  })}\n`,
);
