import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { seededRandom } from "../src/base/index.ts";
import type { DenseLayer } from "../src/models/dense-layer.ts";
import type { Dataset, TensorBackend } from "../src/models/index.ts";
import { openMembers } from "../src/models/members.ts";
import { type BenchResult, figureOf, medianOf } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = join(ROOT, ".venv", "bin", "python");

/** Rows in a second: of the processor's time of the whole process, and of the clock. */
export interface Rates {
  readonly rows_per_processor_second: number;
  readonly rows_per_second: number;
}

/** What scoring cost in one turn, from features where the system makes its inputs, and from inputs. */
export interface ScoreCost {
  readonly features?: Rates;
  readonly inputs: Rates;
}

export type Turn = Readonly<Record<string, ScoreCost>>;

/** What has to be scored. */
export interface ScoredNetwork {
  readonly rows: number;
  readonly inputs: number;
  readonly intervals: number;
  readonly members: readonly (readonly DenseLayer[])[];
  /** Scores all rows from their features. */
  score(backend: TensorBackend): Promise<unknown>;
}

/** How fast work goes through rows. */
export async function ratesOf(rows: number, work: () => unknown): Promise<Rates> {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await work();
  const wall = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    rows_per_processor_second: rows / ((user + system) / 1e6),
    rows_per_second: rows / wall,
  };
}

/** One turn of Herkoop by default, of Herkoop with its accelerator where that is installed, and of torch. */
export async function scoreTurn(backend: TensorBackend, network: ScoredNetwork): Promise<Turn> {
  const plain = await herkoopCost({ ...backend, onnx: undefined }, network);
  return {
    herkoop: plain,
    ...(backend.onnx === undefined
      ? {}
      : { "herkoop, accelerated": await herkoopCost(backend, network) }),
    torch: { inputs: torchCost(network).score },
  };
}

async function herkoopCost(backend: TensorBackend, network: ScoredNetwork): Promise<ScoreCost> {
  const inputs = await multipliedRates(backend, network);
  await network.score(backend);
  return { features: await ratesOf(network.rows, () => network.score(backend)), inputs };
}

/** How fast the backend multiplies inputs that are there. */
export async function multipliedRates(
  backend: TensorBackend,
  { rows, inputs, intervals, members }: Omit<ScoredNetwork, "score">,
): Promise<Rates> {
  const input = { width: inputs, inputsOf: (given: Float32Array) => given };
  const open = await openMembers(backend, { input, intervals, members });
  try {
    const part = Math.min(rows, 8192);
    const random = seededRandom(2);
    const given = Float32Array.from({ length: part * inputs }, () => random.next());
    const passes = Math.ceil(rows / part);
    await open.logitsOf(given);
    return await ratesOf(passes * part, async () => {
      for (let pass = 0; pass < passes; pass++) {
        await open.logitsOf(given);
      }
    });
  } finally {
    await open.close();
  }
}

/** What torch needed to train for some epochs, and to score, on one thread. */
export interface TorchCost {
  readonly train_seconds: number;
  readonly train_rows_per_second: number;
  readonly score: Rates;
}

/** Lets torch train (not at all unless told how long) and score the same layers and members. */
export function torchCost(
  { rows, inputs, intervals, members }: Omit<ScoredNetwork, "score">,
  training: { readonly epochs: number; readonly batch: number } = { epochs: 0, batch: 1024 },
): TorchCost {
  const hidden = (members[0] ?? []).slice(0, -1).map(({ units }) => units);
  const shape = [rows, inputs, hidden.join(","), intervals, training.epochs, training.batch];
  const script = join(import.meta.dirname, "peers", "torch_hazard.py");
  const words = [script, ...shape.map(String), String(members.length)];
  return JSON.parse(execFileSync(PYTHON, words, { encoding: "utf8" })) as TorchCost;
}

export function torchVersion(): string {
  const answer = spawnSync(PYTHON, ["-c", "import torch; print(torch.__version__)"], {
    encoding: "utf8",
  });
  return answer.stdout.trim();
}

/** The figures and goals of several turns. */
export function scoreResult(
  turns: readonly Turn[],
): Pick<BenchResult, "goals" | "systems" | "notes"> {
  const systems: Record<string, BenchResult["systems"][string]> = {};
  for (const name of ["herkoop", "herkoop, accelerated", "torch"]) {
    const costs = turns.flatMap((turn) => turn[name] ?? []);
    systems[name] =
      costs.length === 0
        ? { absent: "onnxruntime-node is not installed" }
        : Object.fromEntries(
            (["features", "inputs"] as const).flatMap((from) =>
              (["rows_per_processor_second", "rows_per_second"] as const).flatMap((rate) => {
                const values = costs.flatMap((cost) => cost[from]?.[rate] ?? []);
                return values.length === 0
                  ? []
                  : [[`${rate}_from_${from}`, figureOf(values, "rows")] as const];
              }),
            ),
          );
  }
  const goals = (["herkoop", "herkoop, accelerated"] as const).flatMap((name, at) =>
    (["features", "inputs"] as const).map((from) => {
      const ratio = medianOf(
        turns.flatMap((turn) => {
          const ours = turn[name]?.[from]?.rows_per_processor_second;
          const theirs = turn["torch"]?.inputs.rows_per_processor_second;
          return ours === undefined || theirs === undefined ? [] : [ours / theirs];
        }),
      );
      const found = Number.isNaN(ratio) ? "not installed" : `${ratio.toFixed(2)} times`;
      return {
        text: `scoring from ${from}: ${name} at least ${at + 1} times torch's rows per processor second (median of the turns: ${found})`,
        met: ratio >= at + 1,
      };
    }),
  );
  const notes = [
    'Scoring by turns on one thread: "from features" makes the inputs as well, which torch\'s figures never do; "from inputs" multiplies inputs that are there. Batches of 1,024 rows.',
  ];
  return { systems, goals, notes };
}

/** Rows of even features, one in five with a purchase. */
export function randomRows(names: readonly string[], count: number, intervals: number): Dataset {
  const random = seededRandom(1);
  return {
    featureNames: names,
    rows: count,
    features: Float32Array.from({ length: count * names.length }, () => random.next() * 2 - 1),
    cutoffs: new Float64Array(count),
    customers: Int32Array.from({ length: count }, (_, row) => row),
    products: [],
    events: Int16Array.from({ length: count }, (_, row) =>
      row % 5 === 0 ? random.below(intervals) : -1,
    ),
    observed: new Int16Array(count).fill(intervals),
  };
}
