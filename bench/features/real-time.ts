import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { openStore, seededRandom, systemClock } from "../../src/base/index.ts";
import { createCollector, createWriteKey } from "../../src/collection/index.ts";
import { resolveInbox } from "../../src/customers/index.ts";
import { quantilesOf } from "./quantiles.ts";

/**
 * An API with customers of 500 recent events each; so many events a second arrive over HTTP, each at its time
 * whatever became of those before, and each sender asks for the customer's whole vector as soon as the event is
 * answered. As many readers ask without an event before. Prints quantiles in ms, from the sending on.
 */
const [folder = "", perSecond = "500", seconds = "20"] = process.argv.slice(2);
const CUSTOMERS = 200;
const EVENTS_EACH = 500;
const DAY_MS = 86_400_000;
const HERKOOP = join(import.meta.dirname, "..", "..", "bin", "herkoop.js");
const EVENTS = [
  "Product Viewed",
  "Product Viewed",
  "Product Added",
  "Products Searched",
  "Order Completed",
];

const random = seededRandom(7);
let numbered = 0;

function call(user: number, at: number): object {
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

async function fill(): Promise<string> {
  const store = await openStore(folder);
  const { key } = createWriteKey(store, systemClock, "shop");
  const collector = createCollector(store, systemClock);
  const now = systemClock.now();
  for (let user = 0; user < CUSTOMERS; user++) {
    const calls = Array.from({ length: EVENTS_EACH }, () =>
      call(user, now - random.below(60 * DAY_MS)),
    );
    await collector.collect({ source: "shop", calls });
  }
  resolveInbox(store, systemClock);
  store.close();
  return key;
}

const key = await fill();
const server = spawn(process.execPath, [HERKOOP, "--store", folder, "serve", "--port", "0"], {
  stdio: ["ignore", "pipe", "ignore"],
});
server.stdout.setEncoding("utf8");
let url = "";
for await (const part of server.stdout) {
  [url = ""] = /http:\/\/[\d.:]+/.exec(String(part)) ?? [];
  if (url !== "") {
    break;
  }
}
const agent = new Agent({ keepAlive: true, maxSockets: 32 });
const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;

function send(method: string, path: string, body?: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { authorization, "content-type": "application/json", "content-length": body.length };
    const sent = request(`${url}${path}`, { method, agent, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.once("end", () => {
        if (response.statusCode === 200) {
          resolve(text);
        } else {
          reject(new Error(`${response.statusCode ?? 0}: ${text.slice(0, 200)}`));
        }
      });
    });
    sent.once("error", reject).end(body);
  });
}

const vector = (user: number): Promise<string> =>
  send("GET", `/v1/customers/user_id/u${user}/features?service=conversion_intent`);

async function eventThenVector(): Promise<number> {
  const user = random.below(CUSTOMERS);
  const body = Buffer.from(JSON.stringify(call(user, systemClock.now())));
  const started = performance.now();
  await send("POST", "/v1/track", body);
  await vector(user);
  return performance.now() - started;
}

async function vectorAlone(): Promise<number> {
  const user = random.below(CUSTOMERS);
  const started = performance.now();
  await vector(user);
  return performance.now() - started;
}

/** Begins work so many times a second, each at its time, and gathers how long each took. */
async function atRate(rate: number, until: number, work: () => Promise<number>): Promise<number[]> {
  const running: Promise<number>[] = [];
  const started = performance.now();
  while (performance.now() - started < until * 1_000) {
    const due = Math.floor(((performance.now() - started) / 1_000) * rate) + 1;
    while (running.length < due) {
      running.push(work());
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Promise.all(running);
}

for (let round = 0; round < 300; round++) {
  await eventThenVector();
}
const alone: number[] = [];
for (let round = 0; round < 2_000; round++) {
  alone.push(await vectorAlone());
}
const together = await atRate(Number(perSecond), Number(seconds), eventThenVector);
agent.destroy();
server.kill("SIGKILL");
await once(server, "close");
process.stdout.write(
  `${JSON.stringify({
    eventsPerSecond: Math.round(together.length / Number(seconds)),
    read: quantilesOf(alone),
    eventToVector: quantilesOf(together),
  })}\n`,
);
