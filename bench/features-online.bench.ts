import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  generate,
  moduleVersion,
  peerFile,
  pythonOf,
  runChild,
  runScript,
  scriptFile,
} from "./features/child.ts";
import { SHOPPERS } from "./features/shoppers.ts";
import { type BenchResult, circumstances, figureOf, medianOf, writeResult } from "./result.ts";

const NAME = "features-online";
const SEED = 1;
const CUTOFF = "2025-10-01T00:00:00Z";
/** Of about 15,000 customers, of whom the first are taken. */
const EVENTS = 300_000;
const CUSTOMERS = 10_000;
const READS = 2_000;
const WRITES = 500;
const RUNS = 3;

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** What a child prints; quantiles in milliseconds. */
interface Measured {
  readonly customers: number;
  readonly read: Quantiles;
  readonly writeAndRead: Quantiles;
  readonly peakMiB: number;
}

interface System {
  readonly name: string;
  readonly version?: Readonly<Record<string, string>>;
  readonly absent?: string;
  readonly measure: (folder: string) => unknown;
}

/** What ours has to reach, judged by the medians over runs. */
interface Goal {
  readonly text: string;
  readonly isMet: (medians: ReadonlyMap<string, Readonly<Record<string, number>>>) => boolean;
}

/** Of customers with 500 recent lines, in the process itself and over HTTP. */
const REAL_TIME = "herkoop real time";
const REAL_TIME_HTTP = "herkoop real time, over HTTP";
const EVENTS_PER_SECOND = 500;
const SECONDS = 20;

const GOALS: readonly Goal[] = [REAL_TIME, REAL_TIME_HTTP].flatMap((name) => [
  {
    text: `${name}: event in to vector read at ${EVENTS_PER_SECOND} events/s: p99 <= 5 ms`,
    isMet: (medians) => (medians.get(name)?.["write_and_read_p99"] ?? Infinity) <= 5,
  },
  {
    text: `${name}: read alone, a customer with 500 recent lines: p99 <= 2 ms`,
    isMet: (medians) => (medians.get(name)?.["read_p99"] ?? Infinity) <= 2,
  },
]);

/**
 * The thirteen features of one customer out of the online store, and of a customer something new is known
 * of: ours beside Feast with its SQLite online store. Each run is a process of its own, the systems take turns.
 */
export function run(): void {
  const runs = Number(process.argv[3] ?? RUNS);
  const systems = [
    ours(),
    realTime(REAL_TIME, "real-time-library.ts"),
    realTime(REAL_TIME_HTTP, "real-time.ts"),
    feast(),
  ];
  const present = systems.filter((system) => system.absent === undefined);
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  try {
    const needsStore = present.some(({ name }) => name === "herkoop");
    generate(work, EVENTS, SEED, needsStore ? ["profiles"] : []);
    runScript("hand-duckdb.ts", [work, CUTOFF]);
    const measured = new Map<string, Measured[]>();
    for (let round = 0; round < runs; round++) {
      for (const { name, measure } of present) {
        const one = measure(work) as Measured;
        console.error(`${name}: ${JSON.stringify(one)}`);
        const expected = name.startsWith(REAL_TIME) ? SHOPPERS : CUSTOMERS;
        if (one.customers !== expected) {
          throw new Error(`${name} has ${one.customers} customers instead of ${expected}`);
        }
        measured.set(name, [...(measured.get(name) ?? []), one]);
      }
    }
    writeResult(resultOf(systems, measured));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const SIZES = [CUSTOMERS, READS, WRITES].map(String);

function ours(): System {
  const script = "ours-online.ts";
  return {
    name: "herkoop",
    ...(existsSync(scriptFile(script)) ? {} : { absent: `bench/features/${script} is missing` }),
    measure: (folder) => runScript(script, [folder, CUTOFF, ...SIZES]),
  };
}

function realTime(name: string, script: string): System {
  return {
    name,
    measure: (folder) => {
      const store = mkdtempSync(join(folder, "real-time-"));
      return runScript(script, [store, String(EVENTS_PER_SECOND), String(SECONDS)]);
    },
  };
}

function feast(): System {
  const python = pythonOf("feast");
  const version = python === undefined ? undefined : moduleVersion(python, "feast");
  return {
    name: "feast",
    ...(version === undefined
      ? { absent: "pip could not install feast" }
      : { version: { feast: version } }),
    measure: (folder) =>
      runChild(python ?? "", [
        peerFile("feast_online.py"),
        join(folder, "features-hand-duckdb.parquet"),
        ...SIZES,
      ]),
  };
}

const FIGURES = {
  read_p50: (one: Measured) => one.read.p50,
  read_p99: (one: Measured) => one.read.p99,
  write_and_read_p50: (one: Measured) => one.writeAndRead.p50,
  write_and_read_p99: (one: Measured) => one.writeAndRead.p99,
  peak_mib: (one: Measured) => one.peakMiB,
} as const;

function resultOf(
  systems: readonly System[],
  measured: ReadonlyMap<string, readonly Measured[]>,
): BenchResult {
  const each = <T>(name: string, of: (values: readonly number[], figure: string) => T) =>
    Object.fromEntries(
      Object.entries(FIGURES).map(([figure, read]) => [
        figure,
        of((measured.get(name) ?? []).map(read), figure),
      ]),
    );
  const medians = new Map([...measured.keys()].map((name) => [name, each(name, medianOf)]));
  return {
    ...circumstances(NAME),
    versions: Object.assign(
      { node: process.versions.node },
      ...systems.map((system) => system.version ?? {}),
    ) as Record<string, string>,
    systems: Object.fromEntries(
      systems.map(({ name, absent }) => [
        name,
        absent === undefined
          ? each(name, (values, figure) => figureOf(values, figure === "peak_mib" ? "MiB" : "ms"))
          : { absent },
      ]),
    ),
    goals: GOALS.map((goal) => ({ text: goal.text, met: goal.isMet(medians) })),
    notes: [
      `${CUSTOMERS} customers, ${READS} reads of one customer's 13 features, ${WRITES} writes each followed by a read of the same; milliseconds.`,
      `Real time: ${SHOPPERS} customers of 500 recent lines each; ${EVENTS_PER_SECOND} events/s are durably taken in for ${SECONDS} s (after 8 s of the same to warm up), each at its time, and after each the whole conversion_intent vector is read; times are from the event's sending to the vector's arrival. In the process as Feast is used, and over HTTP, with the load generator on the same two cores.`,
      "Feast: one feature view, get_online_features and write_to_online_store of one row, in its Python process.",
    ],
  };
}
