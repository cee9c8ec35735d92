import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { literal, openDuckDb, systemClock } from "../src/base/index.ts";
import { quantilesOf } from "./features/quantiles.ts";
import { anyShopper, atRate, call, openShop } from "./features/shoppers.ts";
import { noiseChampion } from "./intent/champion.ts";
import { circumstances, type Figure, figureOf, writeResult } from "./result.ts";
import { type Serving, startServing } from "./serving.ts";

const LINES = 400_000;
const IDLE_SECONDS = 30;
/** A command that takes longer is measured for so long and then ended. */
const COMMAND_SECONDS_MAX = 75;
const PER_SECOND = 50;
const HERKOOP = join(import.meta.dirname, "..", "bin", "herkoop.js");

/** What was measured while one command ran: times in ms, and answers other than 200 by status. */
interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly times: Readonly<Record<Measured, readonly number[]>>;
  readonly refused: ReadonlyMap<number, number>;
  readonly held: readonly number[];
}

const MEASURED = ["post", "profile", "health", "event_to_score"] as const;
type Measured = (typeof MEASURED)[number];

/**
 * A server with senders and readers at a steady rate, while nothing else runs and while batch commands run on the same
 * machine: how long answers take, which are refused, and how long writers hold the lock.
 * `npm run bench -- latency-under-work [LINES] [IDLE_SECONDS] [COMMAND_SECONDS_MAX]`.
 */
export async function run(): Promise<void> {
  const [lines, idleSeconds, secondsMax] = [LINES, IDLE_SECONDS, COMMAND_SECONDS_MAX].map(
    (standard, index) => Number(process.argv[3 + index] ?? standard),
  ) as [number, number, number];
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const folder = join(work, "store");
  const { store, key } = await openShop(folder);
  await noiseChampion(store, join(folder, "models"));
  store.close();
  const importing = await writeOrders(work, lines);
  const server = await startServing(folder, key);
  const probe = openProbe(folder);
  try {
    await load(server, once(sleepOf(5), "close"));
    await probe.held();
    const phases: Phase[] = [];
    const measure = async (name: string, child: ChildProcess): Promise<void> => {
      const stop = setTimeout(() => child.kill("SIGTERM"), secondsMax * 1000);
      const { seconds, times, refused } = await load(server, once(child, "close"));
      clearTimeout(stop);
      const phase = { name, seconds, times, refused, held: await probe.held() };
      phases.push(phase);
      console.error(`${name}: ${seconds.toFixed(0)} s, ${JSON.stringify(figuresOf(phase))}`);
    };
    await measure("idle", sleepOf(idleSeconds));
    for (const [name, ...args] of [
      ["import", "import", ...importing],
      ["training", "train", "repurchase-week"],
      ["scoring", "score", "conversion-intent"],
      ["publishing", "audiences", "--refresh"],
      ["retention", "retention", "run"],
    ]) {
      await measure(name ?? "", command(folder, args));
    }
    report(phases, lines);
  } finally {
    probe.close();
    await server.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function command(store: string, args: readonly string[]): ChildProcess {
  return spawn(HERKOOP, ["--store", store, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}

/** Nothing, for so long. */
function sleepOf(seconds: number): ChildProcess {
  return spawn("sleep", [String(seconds)], { stdio: "ignore" });
}

/** Orders of two years as CSV, and the arguments that import it. */
async function writeOrders(work: string, lines: number): Promise<string[]> {
  const file = join(work, "orders.csv");
  const mapping = join(work, "mapping.json");
  const end = Math.floor(systemClock.now() / 1000);
  const duckdb = await openDuckDb({ temporaryFolder: work });
  try {
    await duckdb.run(
      `COPY (SELECT 'c' || (hash(i) % ${Math.ceil(lines / 10)}) AS "user", 'o' || i AS "order", 'p' || (hash(i + 7) % 300) AS product,
         1 AS quantity, 9.95 AS price, strftime(make_timestamp((${end} - hash(i + 13) % 60000000)::BIGINT * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS "at"
       FROM range(${lines}) t(i)) TO ${literal(file)} (FORMAT csv, HEADER)`,
    );
  } finally {
    duckdb.close();
  }
  writeFileSync(
    mapping,
    JSON.stringify({
      source: "history",
      event: [{ name: "Order Completed" }],
      knownAt: "occurredAt",
      consent: { basis: "terms", purposes: ["advertising"] },
      fields: {
        occurredAt: { column: "at" },
        userId: "user",
        orderId: "order",
        productId: "product",
        quantity: "quantity",
        price: "price",
      },
    }),
  );
  return [file, "--mapping", mapping];
}

/** Sends and reads at a steady rate until something ends. */
async function load(
  server: Serving,
  end: Promise<unknown>,
): Promise<Pick<Phase, "seconds" | "times" | "refused">> {
  const started = performance.now();
  const times: Record<Measured, number[]> = {
    post: [],
    profile: [],
    health: [],
    event_to_score: [],
  };
  const refused = new Map<number, number>();
  const post = async (user: number): Promise<void> => {
    const body = Buffer.from(JSON.stringify(call(user, systemClock.now())));
    await server.send("POST", "/v1/track", body);
  };
  const get = async (path: string): Promise<void> => {
    await server.send("GET", path);
  };
  const works: Readonly<Record<Measured, (user: number) => Promise<void>>> = {
    post,
    profile: (user) => get(`/v1/customers/user_id/u${user}/profile`),
    health: () => get("/v1/health"),
    event_to_score: async (user) => {
      await post(user);
      await get(`/v1/customers/user_id/u${user}/intent`);
    },
  };
  const timed = async (what: Measured): Promise<number> => {
    const at = performance.now();
    try {
      await works[what](anyShopper());
    } catch (error) {
      const status = Number(/: (\d+): /.exec(String(error))?.[1] ?? 0);
      refused.set(status, (refused.get(status) ?? 0) + 1);
    }
    return performance.now() - at;
  };
  const state = { isOver: false };
  const over = end.finally(() => {
    state.isOver = true;
  });
  await Promise.all(
    MEASURED.map(async (what) => {
      while (!state.isOver) {
        times[what].push(...(await atRate(PER_SECOND, 1, () => timed(what))));
      }
    }),
  );
  await over;
  return { seconds: (performance.now() - started) / 1000, times, refused };
}

/** Tells how long others held the write lock each time since it was last asked. */
function openProbe(folder: string): { held(): Promise<number[]>; close(): void } {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", join(import.meta.dirname, "lock-probe-child.ts"), folder],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout });
  return {
    held: async () => {
      child.stdin.write("?\n");
      const [line] = (await once(lines, "line")) as [string];
      return JSON.parse(line) as number[];
    },
    close: () => {
      child.stdin.end();
    },
  };
}

function figuresOf({ times, refused, held, seconds }: Phase): Record<string, Figure> {
  const ms = (value: number): Figure => figureOf([value], "ms");
  const count = (from: number, to: number): Figure =>
    figureOf(
      [[...refused].reduce((sum, [status, n]) => sum + (status >= from && status < to ? n : 0), 0)],
      "rows",
    );
  const latencies = MEASURED.flatMap((what) => {
    const { p50, p99 } = quantilesOf(times[what]);
    const most = Math.max(...times[what]);
    return [
      [`${what}_p50`, ms(p50)] as const,
      [`${what}_p99`, ms(p99)],
      [`${what}_max`, ms(most)],
    ] as const;
  });
  return {
    ...Object.fromEntries(latencies),
    lock_held_p99: ms(held.length === 0 ? 0 : quantilesOf(held).p99),
    lock_held_max: ms(Math.max(0, ...held)),
    busy_503: count(503, 504),
    refused_429: count(429, 430),
    faults: figureOf([count(500, 503).mean + count(0, 1).mean], "rows"),
    seconds: figureOf([seconds], "s"),
  };
}

function report(phases: readonly Phase[], lines: number): void {
  const figures = new Map(phases.map((phase) => [phase.name, figuresOf(phase)]));
  const of = (phase: string, name: string): number =>
    figures.get(phase)?.[name]?.mean ?? Number.NaN;
  const during = phases.map(({ name }) => name).filter((name) => name !== "idle");
  const goals = MEASURED.filter((what) => what !== "event_to_score").map((what) => {
    const ratios = during.map((name) => of(name, `${what}_p99`) / of("idle", `${what}_p99`));
    const worst = Math.max(...ratios);
    return {
      text: `${what} p99 at most 3 times idle: ${during.map((name, index) => `${name} ${(ratios[index] ?? 0).toFixed(1)}`).join(", ")}`,
      met: worst <= 3,
    };
  });
  const held = Math.max(...during.map((name) => of(name, "lock_held_p99")));
  const faults = during.reduce((sum, name) => sum + of(name, "faults"), 0);
  writeResult({
    ...circumstances("latency-under-work"),
    versions: { node: process.version },
    systems: Object.fromEntries(figures),
    goals: [
      ...goals,
      {
        text: "event to fresh score p99 <= 25 ms while training",
        met: of("training", "event_to_score_p99") <= 25,
      },
      {
        text: `the write lock is held for less than 50 ms, p99: ${held.toFixed(0)} ms`,
        met: held < 50,
      },
      { text: "no answer is a fault (500, or none)", met: faults === 0 },
    ],
    notes: [
      `${PER_SECOND} posts, ${PER_SECOND} reads of profiles, ${PER_SECOND} of health and ${PER_SECOND} events each followed by a read of the fresh score a second, over HTTP; commands, senders and server share the machine.`,
      `The import has ${lines} lines of ${Math.ceil(lines / 10)} customers. A command that runs longer than the limit is ended.`,
      "The lock is watched from outside, every millisecond; on a busy machine the watcher itself waits.",
    ],
  });
}
