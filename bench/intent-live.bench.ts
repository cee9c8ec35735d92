import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/base/index.ts";
import { type Quantiles, quantilesOf } from "./features/quantiles.ts";
import { anyShopper, atRate, call, openShop } from "./features/shoppers.ts";
import { noiseChampion } from "./intent/champion.ts";
import { circumstances, figureOf, writeResult } from "./result.ts";
import { startServing } from "./serving.ts";

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
  const folder = join(work, "store");
  const { store, key } = await openShop(folder);
  await noiseChampion(store, join(folder, "models"));
  store.close();
  const server = await startServing(folder, key);
  try {
    const score = (user: number): Promise<string> =>
      server.send("GET", `/v1/customers/user_id/u${user}/intent`);
    const timed = async (what: (user: number) => Promise<unknown>): Promise<number> => {
      const started = performance.now();
      await what(anyShopper());
      return performance.now() - started;
    };
    const eventThenScore = (): Promise<number> =>
      timed(async (user) => {
        const body = Buffer.from(JSON.stringify(call(user, systemClock.now())));
        await server.send("POST", "/v1/track", body);
        await score(user);
      });
    const read = (): Promise<number> => timed(score);
    await Promise.all([
      atRate(PER_SECOND, WARM_UP_SECONDS, eventThenScore),
      atRate(PER_SECOND, WARM_UP_SECONDS, read),
    ]);
    const memory = [memoryMiB(server.pid)];
    const watch = setInterval(() => {
      memory.push(memoryMiB(server.pid));
    }, MEMORY_EVERY_MS);
    const [fresh, reads] = await Promise.all([
      atRate(PER_SECOND, seconds, eventThenScore),
      atRate(PER_SECOND, seconds, read),
    ]);
    clearInterval(watch);
    report(quantilesOf(fresh), quantilesOf(reads), memory, seconds);
  } finally {
    await server.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function report(
  fresh: Quantiles,
  read: Quantiles,
  memory: readonly number[],
  seconds: number,
): void {
  const quarters = [0, 1, 2, 3].map((quarter) =>
    Math.max(...memory.slice((quarter * memory.length) / 4, ((quarter + 1) * memory.length) / 4)),
  );
  const [, second = Number.NaN, , last = Number.NaN] = quarters;
  writeResult({
    ...circumstances("intent-live"),
    versions: { node: process.version },
    systems: {
      herkoop: {
        event_to_score_p50: figureOf([fresh.p50], "ms"),
        event_to_score_p99: figureOf([fresh.p99], "ms"),
        read_p50: figureOf([read.p50], "ms"),
        read_p99: figureOf([read.p99], "ms"),
        most_memory_second_quarter: figureOf([second], "MiB"),
        most_memory_last_quarter: figureOf([last], "MiB"),
        seconds: figureOf([seconds], "s"),
      },
    },
    goals: [
      { text: "event to fresh score p99 <= 10 ms", met: fresh.p99 <= 10 },
      { text: "read p99 <= 3 ms", met: read.p99 <= 3 },
      {
        text: "memory flat: the most in the last quarter within 10% of the most in the second",
        met: last <= 1.1 * second,
      },
    ],
    notes: [
      `${PER_SECOND} events/s, each with a read of the fresh score after it, and ${PER_SECOND} reads/s besides, over HTTP; load and server share the machine.`,
      "The network has the served size and was trained on noise.",
      `Resident memory of the server every ${MEMORY_EVERY_MS / 1000} s, MiB: ${memory.join(", ")}.`,
    ],
  });
}

/** What the process has in memory. */
function memoryMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}
