import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { openStore, systemClock } from "../src/base/index.ts";
import { createWriteKey } from "../src/collection/index.ts";
import { type BenchResult, circumstances, figureOf, writeResult } from "./result.ts";
import { startServing } from "./serving.ts";

const RUNS = 3;
const EVENTS = 100_000;
const PER_BATCH = 100;
const CONNECTIONS = 8;
const GOAL = 20_000;

const HERE = join(import.meta.dirname, "ingest");
const run_ = promisify(execFile);

interface Outcome {
  readonly accepted: number;
  readonly seconds: number;
}

interface ServedOutcome extends Outcome {
  /** How long after the last answer all of it showed in profiles. */
  readonly secondsBehind: number;
}

/**
 * Durable events a second over HTTP, in batches of 100 from another process, and what bare SQLite does
 * with the same rows: 100 messages a transaction, and 2,000. Runs alternate between the systems. Resolving
 * yields to collecting, so how long it takes to catch up is measured, too.
 */
export async function run(): Promise<void> {
  const figures = new Map<string, number[]>();
  const behind: number[] = [];
  const add = (system: string, { accepted, seconds }: Outcome): void => {
    console.error(`${system}: ${Math.round(accepted / seconds)} events/s`);
    figures.set(system, [...(figures.get(system) ?? []), accepted / seconds]);
  };
  for (let seed = 1; seed <= RUNS; seed++) {
    const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
    try {
      const store = join(work, "store");
      const served = await overHttp(store, seed);
      add("herkoop over HTTP", served);
      behind.push(served.secondsBehind);
      const rows = join(store, "herkoop.sqlite");
      add("bare SQLite, 100 a transaction", await bare(work, rows, 100));
      add("bare SQLite, 2,000 a transaction", await bare(work, rows, 2_000));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  writeResult(resultOf(figures, behind));
}

async function overHttp(folder: string, seed: number): Promise<ServedOutcome> {
  const store = await openStore(folder);
  const { key } = createWriteKey(store, systemClock, "webshop");
  store.close();
  const server = await startServing(folder, key);
  const options = [server.url, key, EVENTS, PER_BATCH, CONNECTIONS, seed].map(String);
  const outcome = await outcomeOf("load.ts", options);
  if (outcome.accepted !== EVENTS) {
    throw new Error(`${outcome.accepted} of ${EVENTS} events were accepted`);
  }
  const secondsBehind = await untilResolved(folder);
  await server.stop();
  return { ...outcome, secondsBehind };
}

const LOOK_INTERVAL_MS = 50;

/** Seconds until every line of the inbox is resolved. */
async function untilResolved(folder: string): Promise<number> {
  const started = performance.now();
  const sqlite = new Database(join(folder, "herkoop.sqlite"), { readonly: true });
  const waiting = sqlite
    .prepare<[], number>(
      "SELECT count(*) FROM inbox WHERE sequence > (SELECT inbox_through FROM resolve_position)",
    )
    .pluck();
  while ((waiting.get() ?? 0) > 0) {
    await setTimeout(LOOK_INTERVAL_MS);
  }
  sqlite.close();
  return (performance.now() - started) / 1_000;
}

async function bare(work: string, rows: string, perTransaction: number): Promise<Outcome> {
  const folder = join(work, `bare-${perTransaction}`);
  (await openStore(folder)).close();
  const target = join(folder, "herkoop.sqlite");
  return outcomeOf("bare.ts", [rows, target, String(perTransaction)]);
}

async function outcomeOf(script: string, options: readonly string[]): Promise<Outcome> {
  const { stdout } = await run_(process.execPath, [
    "--import",
    "tsx",
    join(HERE, script),
    ...options,
  ]);
  return JSON.parse(stdout) as Outcome;
}

function resultOf(
  figures: ReadonlyMap<string, readonly number[]>,
  behind: readonly number[],
): BenchResult {
  const median = (system: string): number =>
    [...(figures.get(system) ?? [])].sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? 0;
  const ours = median("herkoop over HTTP");
  const ratio = (per: string): string =>
    (ours / median(`bare SQLite, ${per} a transaction`)).toFixed(2);
  return {
    ...circumstances("ingest"),
    versions: { node: process.versions.node },
    systems: Object.fromEntries(
      [...figures].map(([system, values]) => [
        system,
        {
          events_per_second: figureOf(values, "events/s"),
          ...(system === "herkoop over HTTP" ? { seconds_behind: figureOf(behind, "s") } : {}),
        },
      ]),
    ),
    goals: [{ text: `${GOAL} durable events/s over HTTP (median)`, met: ours >= GOAL }],
    notes: [
      `Median over HTTP ${Math.round(ours)} events/s; ${ratio("100")} of bare SQLite at 100 messages a transaction, ${ratio("2,000")} at 2,000.`,
      `${EVENTS} events a run, ${PER_BATCH} a batch, ${CONNECTIONS} kept connections, from a process on the same machine; one in ten is an order of two lines.`,
      "seconds_behind: from the last answer until every event shows in profiles; resolving yields to collecting.",
      "Durable: the answer comes after a commit with synchronous=FULL. Batches that arrive together share a commit.",
    ],
  };
}
