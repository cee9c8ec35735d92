import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/base/index.ts";
import { type Quantiles, quantilesOf } from "./features/quantiles.ts";
import { anyShopper, atRate, call, openShop } from "./features/shoppers.ts";
import { noiseChampion } from "./intent/champion.ts";
import { circumstances, figureOf, writeResult } from "./result.ts";

const HERKOOP = join(import.meta.dirname, "..", "bin", "herkoop.js");
const PER_SECOND = 200;
const SECONDS = 600;
/** A server in service is warm. */
const WARM_UP_SECONDS = 10;
const MEMORY_EVERY_MS = 15_000;

/**
 * The API under 200 events/s, after each of which the sender reads the fresh score, and 200 reads of scores a second besides,
 * of customers with 500 recent events each, over HTTP from the sending on. `npm run bench -- intent-live [SECONDS]`.
 */
export async function run(): Promise<void> {
  const seconds = Number(process.argv[3] ?? SECONDS);
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const models = join(work, "models");
  const { store, key } = await openShop(join(work, "store"));
  await noiseChampion(store, models);
  store.close();
  const server = spawn(
    process.execPath,
    [HERKOOP, "--store", join(work, "store"), "serve", "--port", "0"],
    {
      stdio: ["ignore", "pipe", "ignore"],
      env: { HERKOOP_MODELS: models },
    },
  );
  try {
    server.stdout.setEncoding("utf8");
    let url = "";
    for await (const part of server.stdout) {
      [url = ""] = /http:\/\/[\d.:]+/.exec(String(part)) ?? [];
      if (url !== "") {
        break;
      }
    }
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const send = sender(url, agent, key);
    const score = (user: number): Promise<void> =>
      send("GET", `/v1/customers/user_id/u${user}/intent`);
    const timed = async (what: (user: number) => Promise<void>): Promise<number> => {
      const started = performance.now();
      await what(anyShopper());
      return performance.now() - started;
    };
    const eventThenScore = (): Promise<number> =>
      timed(async (user) => {
        await send("POST", "/v1/track", Buffer.from(JSON.stringify(call(user, systemClock.now()))));
        await score(user);
      });
    const read = (): Promise<number> => timed(score);
    await Promise.all([
      atRate(PER_SECOND, WARM_UP_SECONDS, eventThenScore),
      atRate(PER_SECOND, WARM_UP_SECONDS, read),
    ]);
    const memory = [memoryMiB(server.pid ?? 0)];
    const watch = setInterval(() => {
      memory.push(memoryMiB(server.pid ?? 0));
    }, MEMORY_EVERY_MS);
    const [fresh, reads] = await Promise.all([
      atRate(PER_SECOND, seconds, eventThenScore),
      atRate(PER_SECOND, seconds, read),
    ]);
    clearInterval(watch);
    agent.destroy();
    report(quantilesOf(fresh), quantilesOf(reads), memory, seconds);
  } finally {
    server.kill("SIGKILL");
    await once(server, "close");
    rmSync(work, { recursive: true, force: true });
  }
}

function report(
  fresh: Quantiles,
  read: Quantiles,
  memory: readonly number[],
  seconds: number,
): void {
  const half = memory[memory.length >> 1] ?? Number.NaN;
  const last = memory.at(-1) ?? Number.NaN;
  writeResult({
    ...circumstances("intent-live"),
    versions: { node: process.version },
    systems: {
      herkoop: {
        event_to_score_p50: figureOf([fresh.p50], "ms"),
        event_to_score_p99: figureOf([fresh.p99], "ms"),
        read_p50: figureOf([read.p50], "ms"),
        read_p99: figureOf([read.p99], "ms"),
        memory_halfway: figureOf([half], "MiB"),
        memory_end: figureOf([last], "MiB"),
        seconds: figureOf([seconds], "s"),
      },
    },
    goals: [
      { text: "event to fresh score p99 <= 10 ms", met: fresh.p99 <= 10 },
      { text: "read p99 <= 3 ms", met: read.p99 <= 3 },
      { text: "memory flat: at the end within 10% of halfway", met: last <= 1.1 * half },
    ],
    notes: [
      `${PER_SECOND} events/s, each with a read of the fresh score after it, and ${PER_SECOND} reads/s besides, over HTTP; load and server share the machine.`,
      "The network has the served size and was trained on noise.",
    ],
  });
}

function sender(
  url: string,
  agent: Agent,
  key: string,
): (method: string, path: string, body?: Buffer) => Promise<void> {
  const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const headers =
        body === undefined
          ? {}
          : { authorization, "content-type": "application/json", "content-length": body.length };
      const sent = request(`${url}${path}`, { method, agent, headers }, (response) => {
        response.resume();
        response.once("end", () => {
          if (response.statusCode === 200) {
            resolve();
          } else {
            reject(new Error(`${path}: ${response.statusCode ?? 0}`));
          }
        });
      });
      sent.once("error", reject).end(body);
    });
}

/** What the process has in memory. */
function memoryMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}
