import { Agent, request } from "node:http";
import { seededRandom } from "../../src/base/index.ts";
import { shopCall } from "./calls.ts";

/** Posts batches over kept connections, made before the clock starts; prints events a second. */
const [url = "", key = "", events = "0", perBatch = "100", connections = "4", seed = "1"] =
  process.argv.slice(2);
const random = seededRandom(Number(seed));
const batches = Array.from({ length: Number(events) / Number(perBatch) }, (_, batch) => {
  const calls = Array.from({ length: Number(perBatch) }, (_unused, index) =>
    shopCall(random, `${seed}-${batch}-${index}-5b1f-4c1e`, "2011-12-09T10:00:00.000Z"),
  );
  return Buffer.from(JSON.stringify({ batch: calls }));
});
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;

function post(body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization,
      "content-type": "application/json",
      "content-length": body.length,
    };
    const sent = request(`${url}/v1/batch`, { method: "POST", agent, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.once("end", () => {
        if (response.statusCode === 200) {
          resolve(text.split('"accepted"').length - 1);
        } else {
          reject(new Error(`${response.statusCode ?? 0}: ${text.slice(0, 200)}`));
        }
      });
    });
    sent.once("error", reject).end(body);
  });
}

let next = 0;
let accepted = 0;
async function connection(): Promise<void> {
  for (let body = batches[next++]; body !== undefined; body = batches[next++]) {
    const taken = await post(body);
    accepted += taken;
  }
}

const started = performance.now();
await Promise.all(Array.from({ length: Number(connections) }, connection));
const seconds = (performance.now() - started) / 1_000;
agent.destroy();
const bytes = batches.reduce((sum, { length }) => sum + length, 0);
process.stdout.write(`${JSON.stringify({ accepted, seconds, bytes })}\n`);
