import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { fixedClock, openStore, type Store, seededRandom } from "../src/base/index.ts";
import { createCollector, createWriteKey } from "../src/collection/index.ts";
import { createLiveResolver, readProfile } from "../src/customers/index.ts";
import { circumstances, type Figure, figureOf, writeResult } from "./result.ts";

const NAME = "customers";
const SIZES = [10_000, 100_000, 1_000_000];
const EVENTS = 5_000;
const RUNS = 3;
const READS = 2_000;
const CALLS_PER_BATCH = 100;
const clock = fixedClock("2024-07-01T00:00:00Z");

/**
 * What a new event costs once there are many customers (resolving it: identifiers, links, profile,
 * consent), and what reading the profile of a customer with a thousand events costs. Making a million
 * customers takes minutes; they are kept in the folder that a further argument names, and used again.
 */
export async function run(): Promise<void> {
  const systems: Record<string, Record<string, Figure>> = {};
  const sqliteVersion =
    new Database(":memory:").prepare<[], string>("SELECT sqlite_version()").pluck().get() ??
    "unknown";
  for (const size of SIZES) {
    systems[`herkoop, ${size} customers`] = await measure(size);
  }
  const costs = SIZES.map((size) => systems[`herkoop, ${size} customers`]?.["event"]?.mean ?? NaN);
  const ratio = (costs.at(-1) ?? NaN) / (costs[0] ?? NaN);
  const slowest = Math.max(
    ...SIZES.map((size) => systems[`herkoop, ${size} customers`]?.["profile_p99"]?.mean ?? NaN),
  );
  writeResult({
    ...circumstances(NAME),
    versions: { node: process.versions.node, sqlite: sqliteVersion },
    systems,
    goals: [
      { text: "cost per new event at 1,000,000 customers <= 2x that at 10,000", met: ratio <= 2 },
      { text: "profile of a customer with 1,000 events, p99 <= 5 ms", met: slowest <= 5 },
    ],
    notes: [
      `${EVENTS} events a run: 70% of known visitors, 20% of new ones, 5% logins of a new visitor, 5% with a known e-mail address`,
      "the cost is that of resolving; collecting is measured by the ingest benchmark",
    ],
  });
}

async function measure(customers: number): Promise<Record<string, Figure>> {
  const folder = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const seeded = join(process.argv[3] ?? folder, String(customers));
  if (!existsSync(seeded)) {
    await seed(seeded, customers);
  }
  mkdirSync(join(folder, "store"));
  copyFileSync(join(seeded, DATABASE), join(folder, "store", DATABASE));
  const store = await openStore(join(folder, "store"));
  try {
    await beBusy(store);
    const costs: number[] = [];
    for (let index = 0; index <= RUNS; index++) {
      await collect(store, events(customers, index));
      costs.push((1e3 * resolveAll(store)) / EVENTS);
    }
    // The first run is that in which code becomes warm.
    costs.shift();
    const reads = profileReads(store);
    return {
      event: figureOf(costs, "us"),
      profile_p50: figureOf([quantile(reads, 0.5)], "ms"),
      profile_p99: figureOf([quantile(reads, 0.99)], "ms"),
    };
  } finally {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const DATABASE = "herkoop.sqlite";

/** A store of so many customers, each with a user id, an e-mail address and a visitor. */
async function seed(folder: string, customers: number): Promise<void> {
  const CHUNK = 10_000;
  const store = await openStore(folder);
  createWriteKey(store, clock, "shop");
  // Nothing of it is measured.
  store.sqlite.pragma("synchronous = OFF");
  for (let from = 0; from < customers; from += CHUNK) {
    const calls = Array.from({ length: Math.min(CHUNK, customers - from) }, (_, index) => ({
      type: "identify",
      messageId: `seed-${from + index}`,
      userId: `u${from + index}`,
      anonymousId: `v${from + index}`,
      traits: { email: `u${from + index}@shop.nl` },
    }));
    await collect(store, calls);
    resolveAll(store);
    store.sqlite.exec("DELETE FROM inbox");
  }
  store.close();
}

/** One more customer, with a thousand events. */
async function beBusy(store: Store): Promise<void> {
  const busy = Array.from({ length: 1_000 }, (_, index) => ({
    type: "track",
    messageId: `busy-${index}`,
    userId: "busy",
    event: index % 50 === 0 ? "Order Completed" : "Product Viewed",
    properties: { order_id: `o${index}`, product_id: `P${index % 30}`, price: 5, quantity: 1 },
  }));
  await collect(store, busy);
  resolveAll(store);
}

function events(customers: number, run: number): object[] {
  const random = seededRandom(run + 1);
  return Array.from({ length: EVENTS }, (_, index) => {
    const who = random.below(customers);
    const kind = random.next();
    const base = { messageId: `${run}-${index}`, type: "track", event: "Product Viewed" };
    if (kind < 0.7) {
      return { ...base, anonymousId: `v${who}` };
    }
    if (kind < 0.9) {
      return { ...base, anonymousId: `new-${run}-${index}` };
    }
    return kind < 0.95
      ? { ...base, anonymousId: `new-${run}-${index}`, userId: `u${who}` }
      : { ...base, anonymousId: `new-${run}-${index}`, properties: { email: `u${who}@shop.nl` } };
  });
}

async function collect(store: Store, calls: readonly object[]): Promise<void> {
  const collector = createCollector(store, clock);
  for (let from = 0; from < calls.length; from += CALLS_PER_BATCH) {
    await collector.collect({ source: "shop", calls: calls.slice(from, from + CALLS_PER_BATCH) });
  }
}

/** Milliseconds it took. */
function resolveAll(store: Store): number {
  const resolve = createLiveResolver(store, clock);
  const started = performance.now();
  while (resolve());
  return performance.now() - started;
}

function profileReads(store: Store): number[] {
  const identifier = { type: "user_id", value: "busy" };
  return Array.from({ length: READS }, () => {
    const started = performance.now();
    readProfile(store, identifier, { orders: 100, events: 100 });
    return performance.now() - started;
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
}
