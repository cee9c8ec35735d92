import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeService } from "../src/features/index.ts";
import { generate, runScript } from "./features/child.ts";
import { FEATURES, type Measured } from "./features/measured.ts";
import { circumstances, type Figure, figureOf, writeResult } from "./result.ts";

const NAME = "features-scale";
const SEED = 1;
const CUTOFF = "2025-10-01T00:00:00Z";
/** Further arguments say otherwise: `npm run bench -- features-scale 1000000,10000000 herkoop,hand-duckdb`. */
const SIZES = [1_000_000, 10_000_000, 100_000_000];
const MOST_MIB = 8e9 / 2 ** 20;
/** Ten times the events may take so much more than ten times as long. */
const SLACK = 1.25;

type Spent = Pick<Measured, "seconds" | "cpuSeconds" | "peakMiB">;

interface System {
  readonly name: string;
  readonly script: string;
  /** What to do with a store; it reads flat Parquet where nothing is said. */
  readonly what?: string;
}

const SYSTEMS: readonly System[] = [
  { name: "herkoop", script: "ours.ts" },
  { name: "hand-duckdb", script: "hand-duckdb.ts" },
  { name: "herkoop store, making facts", script: "ours-store.ts", what: "facts" },
  { name: "herkoop store, one cutoff", script: "ours-store.ts", what: "build-thirteen" },
  { name: "herkoop whole catalogue", script: "ours-store.ts", what: "build-catalogue" },
];

/** What the features of one cutoff take as the events get more: once each, in processes of their own. */
export function run(): void {
  const sizes = process.argv[3]?.split(",").map(Number) ?? SIZES;
  const names = process.argv[4]?.split(",");
  const systems = SYSTEMS.filter(({ name }) => names?.includes(name) ?? true);
  const spent = new Map<string, Map<number, Spent>>(systems.map(({ name }) => [name, new Map()]));
  for (const size of sizes) {
    const folder = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
    try {
      generate(
        folder,
        size,
        SEED,
        systems.some(({ what }) => what !== undefined) ? ["history"] : [],
      );
      for (const { name, script, what } of systems) {
        const args = [folder, CUTOFF, ...(what === undefined ? [] : [what])];
        const one = runScript(script, args) as Spent;
        console.error(`${name}, ${size} events: ${JSON.stringify(one)}`);
        spent.get(name)?.set(size, one);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  writeResult({
    ...circumstances(NAME),
    versions: { node: process.versions.node },
    systems: Object.fromEntries([...spent].map(([name, bySize]) => [name, figuresOf(bySize)])),
    goals: goalsOf(spent, sizes),
    notes: [
      `Seed ${SEED}, one cutoff, one run of each. herkoop and the query by hand compute ${FEATURES.length} features from flat Parquet, the stores the same or, as the whole catalogue, ${wholeService("customer").features.length} from facts made before.`,
      "Seconds are from the files to a file, without starting the process; peak memory is that of the process.",
    ],
  });
}

function figuresOf(bySize: ReadonlyMap<number, Spent>): Record<string, Figure> {
  return Object.fromEntries(
    [...bySize].flatMap(([size, { seconds, cpuSeconds, peakMiB }]) => [
      [`seconds_${size / 1e6}m`, figureOf([seconds], "s")],
      [`cpu_seconds_${size / 1e6}m`, figureOf([cpuSeconds], "s")],
      [`peak_mib_${size / 1e6}m`, figureOf([peakMiB], "MiB")],
    ]),
  );
}

function goalsOf(
  spent: ReadonlyMap<string, ReadonlyMap<number, Spent>>,
  sizes: readonly number[],
): { readonly text: string; readonly met: boolean }[] {
  const ours = [...spent].filter(([name]) => name.startsWith("herkoop"));
  const [before = 0, most = 0] = sizes.slice(-2);
  const secondsOf = (bySize: ReadonlyMap<number, Spent>, size: number): number =>
    bySize.get(size)?.cpuSeconds ?? Number.NaN;
  return [
    {
      text: `herkoop in less than 8 GB of memory at ${most} events`,
      met: ours.every(([, bySize]) => (bySize.get(most)?.peakMiB ?? Number.NaN) < MOST_MIB),
    },
    {
      text: `time follows the events: ${most} take at most ${SLACK}x the processor time of ${before}, per event`,
      met: ours.every(
        ([, bySize]) =>
          secondsOf(bySize, most) / most <= (SLACK * secondsOf(bySize, before)) / before,
      ),
    },
  ];
}
