import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { systemClock } from "../../src/base/index.ts";
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
const HERKOOP = join(import.meta.dirname, "..", "..", "bin", "herkoop.js");
const { store, key } = await openShop(folder);
store.close();
const server = spawn(HERKOOP, ["--store", folder, "serve", "--port", "0"], {
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
  const user = anyShopper();
  const body = Buffer.from(JSON.stringify(call(user, systemClock.now())));
  const started = performance.now();
  await send("POST", "/v1/track", body);
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
const peak = peakMiBOf(server.pid ?? 0);
agent.destroy();
server.kill("SIGKILL");
await once(server, "close");
process.stdout.write(
  `${JSON.stringify({
    customers: SHOPPERS,
    read: quantilesOf(alone),
    writeAndRead: quantilesOf(together),
    peakMiB: peak,
  })}\n`,
);
