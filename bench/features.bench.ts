import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { messageOf, openDuckDb } from "../src/base/index.ts";
import { wholeService } from "../src/features/index.ts";
import {
  generate,
  moduleVersion,
  peerFile,
  pythonOf,
  runChild,
  runScript,
} from "./features/child.ts";
import { differences, FEATURES, type Measured } from "./features/measured.ts";
import { type BenchResult, circumstances, figureOf, medianOf, writeResult } from "./result.ts";

const NAME = "features";
const SEED = 1;
const CUTOFF = "2025-10-01T00:00:00Z";
/** Further arguments say otherwise: `npm run bench -- features 100000000 1 hand-duckdb,polars`. */
const EVENTS = 10_000_000;
const RUNS = 3;

interface System {
  readonly name: string;
  /** The form of the events that it reads; see generate.ts. */
  readonly form?: "csv" | "sqlite" | "history";
  readonly version?: Readonly<Record<string, string>>;
  /** Why it can't run here. */
  readonly absent?: string;
  /** Whether what it makes is not what the others make, so that there is nothing to agree on. */
  readonly isAlone?: boolean;
  readonly measure: (folder: string) => unknown;
}

/** What ours has to reach, judged by the medians of seconds and peak memory by system. */
interface Goal {
  readonly text: string;
  readonly isMet: (medians: ReadonlyMap<string, Medians>) => boolean;
}

interface Medians {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly rows: number;
}

const GOALS: readonly Goal[] = [
  {
    text: "herkoop in at most 1.3x the time of the query by hand",
    isMet: (medians) => secondsOf(medians, HERKOOP) <= 1.3 * secondsOf(medians, "hand-duckdb"),
  },
  {
    text: "herkoop at least 5x faster than pandas from CSV",
    isMet: (medians) => secondsOf(medians, HERKOOP) * 5 <= secondsOf(medians, "pandas"),
  },
  {
    text: "the thirteen, and the whole catalogue from a store, in less than 1.5 GB of memory each",
    isMet: (medians) =>
      [HERKOOP, "herkoop store, one cutoff", WHOLE].every(
        (system) => (medians.get(system)?.peakMiB ?? Number.NaN) < 1.5e9 / 2 ** 20,
      ),
  },
  {
    text: "a feature of the whole catalogue costs no more than one of the thirteen",
    isMet: (medians) =>
      secondsOf(medians, WHOLE) / features() <= secondsOf(medians, HERKOOP) / FEATURES.length,
  },
  {
    text: "the thirteen at nine cutoffs cost less than 3x one cutoff",
    isMet: (medians) =>
      secondsOf(medians, "herkoop store, nine cutoffs") <
      3 * secondsOf(medians, "herkoop store, one cutoff"),
  },
  {
    text: "a row of the whole catalogue costs no more at nine cutoffs than at one",
    isMet: (medians) => perRow(medians, `${WHOLE}, nine cutoffs`) <= perRow(medians, WHOLE),
  },
];

const HERKOOP = "herkoop";
const WHOLE = "herkoop whole catalogue";

function features(): number {
  return wholeService("customer").features.length;
}

function secondsOf(medians: ReadonlyMap<string, Medians>, system: string): number {
  return medians.get(system)?.seconds ?? Number.NaN;
}

function perRow(medians: ReadonlyMap<string, Medians>, system: string): number {
  return secondsOf(medians, system) / (medians.get(system)?.rows ?? Number.NaN);
}

/**
 * Thirteen features of every customer at one cutoff, each system in a process of its own and from the form
 * of the events that suits it; whole runs alternate between the systems, and all must come to the same sums.
 */
export async function run(): Promise<void> {
  const events = Number(process.argv[3] ?? EVENTS);
  const runs = Number(process.argv[4] ?? RUNS);
  const names = process.argv[5]?.split(",");
  const systems = (await allSystems()).filter(({ name }) => names?.includes(name) ?? true);
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  try {
    const present = systems.filter((system) => system.absent === undefined);
    generate(
      work,
      events,
      SEED,
      present.flatMap(({ form }) => form ?? []),
    );
    const measured = new Map<string, Measured[]>();
    const failed = new Map<string, string>();
    for (let round = 0; round < runs; round++) {
      for (const { name, measure } of present.filter((system) => !failed.has(system.name))) {
        try {
          const one = measure(work) as Measured;
          console.error(`${name}: ${JSON.stringify(one)}`);
          measured.set(name, [...(measured.get(name) ?? []), one]);
        } catch (error) {
          failed.set(name, `failed on ${events} events: ${messageOf(error).split("\n")[0] ?? ""}`);
        }
      }
    }
    agree(
      new Map([...measured].filter(([name]) => !systems.find((one) => one.name === name)?.isAlone)),
    );
    writeResult(resultOf(events, systems, measured, failed));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function allSystems(): Promise<System[]> {
  const script = (file: string) => (folder: string) => runScript(file, [folder, CUTOFF]);
  const duckdb = await duckdbVersion();
  const sqlite = new Database(":memory:").prepare<[], string>("SELECT sqlite_version()").pluck();
  return [
    { name: HERKOOP, measure: script("ours.ts") },
    { name: "hand-duckdb", version: { duckdb }, measure: script("hand-duckdb.ts") },
    pythonSystem("polars"),
    pythonSystem("pandas", "csv"),
    {
      name: "sqlite",
      form: "sqlite",
      version: { sqlite: sqlite.get() ?? "" },
      measure: script("sqlite.ts"),
    },
    storeSystem("herkoop store, making facts", "facts"),
    storeSystem("herkoop store", "thirteen"),
    storeSystem("herkoop store, one cutoff", "build-thirteen"),
    storeSystem("herkoop store, nine cutoffs", "build-thirteen", 9),
    storeSystem(WHOLE, "build-catalogue"),
    storeSystem(`${WHOLE}, nine cutoffs`, "build-catalogue", 9),
  ];
}

function storeSystem(name: string, what: string, cutoffs = 1): System {
  return {
    name,
    form: "history",
    isAlone: what !== "thirteen",
    measure: (folder) => runScript("ours-store.ts", [folder, CUTOFF, what, String(cutoffs)]),
  };
}

function pythonSystem(name: string, form?: "csv"): System {
  const python = pythonOf("bench");
  const version = python === undefined ? undefined : moduleVersion(python, name);
  return {
    name,
    ...(form === undefined ? {} : { form }),
    ...(version === undefined
      ? { absent: `pip could not install ${name}` }
      : { version: { [name]: version } }),
    measure: (folder) => runChild(python ?? "", [peerFile(`${name}_features.py`), folder, CUTOFF]),
  };
}

async function duckdbVersion(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const duckdb = await openDuckDb({ temporaryFolder: folder });
  try {
    const [row] = await duckdb.rows("SELECT version() AS version");
    return String(row?.["version"]);
  } finally {
    duckdb.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Throws where any run of any system came to other sums than the first. */
function agree(measured: ReadonlyMap<string, readonly Measured[]>): void {
  const all = [...measured].flatMap(([name, runs]) => runs.map((one) => ({ name, one })));
  const [first] = all;
  for (const { name, one } of all) {
    const found = first === undefined ? [] : differences(first.one, one);
    if (found.length > 0) {
      throw new Error(`${first?.name ?? ""} and ${name} differ: ${found.join("; ")}`);
    }
  }
}

function resultOf(
  events: number,
  systems: readonly System[],
  measured: ReadonlyMap<string, readonly Measured[]>,
  failed: ReadonlyMap<string, string>,
): BenchResult {
  const medians = new Map(
    [...measured].map(([name, runs]) => [
      name,
      {
        seconds: medianOf(runs.map((one) => one.seconds)),
        cpuSeconds: medianOf(runs.map((one) => one.cpuSeconds)),
        peakMiB: medianOf(runs.map((one) => one.peakMiB)),
        rows: runs[0]?.rows ?? Number.NaN,
      },
    ]),
  );
  const rows = [...measured.values()][0]?.[0]?.rows ?? 0;
  const name = events === EVENTS ? NAME : `${NAME}-${events}`;
  return {
    ...circumstances(name),
    command: `npm run bench -- ${NAME}${events === EVENTS ? "" : ` ${events}`}`,
    versions: Object.assign(
      { node: process.versions.node },
      ...systems.map((system) => system.version ?? {}),
    ) as Record<string, string>,
    systems: Object.fromEntries(
      systems.map((system) => [system.name, figuresOf(system, measured, failed)]),
    ),
    goals: GOALS.map((goal) => ({ text: goal.text, met: goal.isMet(medians) })),
    notes: [
      `Medians, on the clock and of the processor: ${[...medians].map(([system, of]) => `${system} ${of.seconds.toFixed(2)} and ${of.cpuSeconds.toFixed(2)} s, ${of.peakMiB.toFixed(0)} MiB`).join("; ")}.`,
      `herkoop is thirteen declared views over the same flat Parquet as the query by hand; herkoop store the same over facts made before from a store's history. One and nine cutoffs (28 days apart) are files as \`herkoop features build\` makes them, for customers who bought or browsed; the whole catalogue is ${features()} features, most of them of the last 90 days: nine cutoffs are ${rowsOf(medians, `${WHOLE}, nine cutoffs`)} rows, one is ${rowsOf(medians, WHOLE)}.`,
      `${events} events, seed ${SEED}; ${rows} customers with an event before ${CUTOFF}. All systems came to the same sum of every feature, to a millionth.`,
      "Seconds are from the files to a file, without starting the process; peak memory is that of the process. hand-duckdb and polars read flat Parquet, pandas CSV; sqlite a table loaded before, in the order of customer and time.",
    ],
  };
}

function rowsOf(medians: ReadonlyMap<string, Medians>, system: string): string {
  return String(medians.get(system)?.rows ?? "no");
}

function figuresOf(
  system: System,
  measured: ReadonlyMap<string, readonly Measured[]>,
  failed: ReadonlyMap<string, string>,
): BenchResult["systems"][string] {
  const absent = system.absent ?? failed.get(system.name);
  const runs = measured.get(system.name) ?? [];
  return absent === undefined
    ? {
        seconds: figureOf(
          runs.map((one) => one.seconds),
          "s",
        ),
        cpu_seconds: figureOf(
          runs.map((one) => one.cpuSeconds),
          "s",
        ),
        peak_mib: figureOf(
          runs.map((one) => one.peakMiB),
          "MiB",
        ),
      }
    : { absent };
}
