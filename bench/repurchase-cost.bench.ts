import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { seededRandom } from "../src/base/index.ts";
import { epochsFor, trainHazardNetwork } from "../src/models/hazard-network.ts";
import type { Dataset } from "../src/models/index.ts";
import { hazardsOf, loadTensorBackend, repurchaseTask } from "../src/models/index.ts";
import { inputWidth } from "../src/models/preprocess.ts";
import { circumstances, figureOf, medianOf, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = join(ROOT, ".venv", "bin", "python");
const ROWS = 60_000;
const RUNS = 3;

interface Cost {
  readonly train_seconds: number;
  readonly train_rows_per_second: number;
  readonly score_rows_per_second: number;
}

/**
 * What the reported network costs to train and to score with, in processor seconds, beside a torch MLP of the same
 * inputs, layers, epochs and batches on one thread, run by turns. Herkoop's figures include making inputs of features.
 */
export async function run(): Promise<void> {
  const task = repurchaseTask();
  const rows = randomRows(task.service.features, ROWS, task.intervals);
  const ours: Cost[] = [];
  const theirs: Cost[] = [];
  for (let turn = 0; turn < RUNS; turn++) {
    const { cost, inputs } = await herkoop(rows);
    ours.push(cost);
    const { hiddenUnits, batchSize } = task.settings;
    const epochs = epochsFor(ROWS, task.settings);
    const shape = [ROWS, inputs, hiddenUnits.join(","), task.intervals, epochs, batchSize];
    theirs.push(torch(shape.map(String)));
    console.error(JSON.stringify({ herkoop: ours.at(-1), torch: theirs.at(-1) }));
  }
  const ratio = medianOf(
    ours.map((one, turn) => one.train_seconds / (theirs[turn]?.train_seconds ?? Number.NaN)),
  );
  const speed = medianOf(
    ours.map(
      (one, turn) =>
        one.score_rows_per_second / (theirs[turn]?.score_rows_per_second ?? Number.NaN),
    ),
  );
  const figures = (costs: readonly Cost[]): Record<string, ReturnType<typeof figureOf>> => ({
    train_seconds: figureOf(
      costs.map((one) => one.train_seconds),
      "s",
    ),
    train_rows_per_second: figureOf(
      costs.map((one) => one.train_rows_per_second),
      "rows",
    ),
    score_rows_per_second: figureOf(
      costs.map((one) => one.score_rows_per_second),
      "rows",
    ),
  });
  writeResult({
    ...circumstances("repurchase-cost"),
    versions: { node: process.versions.node, torch: torchVersion() },
    systems: { herkoop: figures(ours), torch: figures(theirs) },
    goals: [
      {
        text: `training at most 1.5 times torch's processor seconds (median of the turns: ${ratio.toFixed(2)})`,
        met: ratio <= 1.5,
      },
      {
        text: `scoring at least torch's rows per processor second (median of the turns: ${speed.toFixed(2)} times)`,
        met: speed >= 1,
      },
    ],
    notes: [
      `${ROWS} rows, ${epochsFor(ROWS, task.settings)} epochs; processor seconds of the whole process while it trains or scores. Herkoop begins at features, torch at inputs.`,
    ],
  });
}

async function herkoop(rows: Dataset): Promise<{ readonly cost: Cost; readonly inputs: number }> {
  const task = repurchaseTask();
  const backend = await loadTensorBackend();
  const seconds = (since: NodeJS.CpuUsage): number => {
    const { user, system } = process.cpuUsage(since);
    return (user + system) / 1e6;
  };
  let since = process.cpuUsage();
  const { network } = await trainHazardNetwork(backend, rows, task.intervals, task.settings);
  const trainSeconds = seconds(since);
  since = process.cpuUsage();
  await hazardsOf(backend, { kind: "network", network }, rows);
  const scoreSeconds = seconds(since);
  return {
    inputs: inputWidth(network.preprocessing),
    cost: {
      train_seconds: trainSeconds,
      train_rows_per_second: (rows.rows * epochsFor(rows.rows, task.settings)) / trainSeconds,
      score_rows_per_second: rows.rows / scoreSeconds,
    },
  };
}

function torch(shape: readonly string[]): Cost {
  const script = join(import.meta.dirname, "peers", "torch_hazard.py");
  return JSON.parse(execFileSync(PYTHON, [script, ...shape], { encoding: "utf8" })) as Cost;
}

function torchVersion(): string {
  const answer = spawnSync(PYTHON, ["-c", "import torch; print(torch.__version__)"], {
    encoding: "utf8",
  });
  return answer.stdout.trim();
}

/** Rows of standard normal features, one in five with a purchase. */
function randomRows(names: readonly string[], count: number, intervals: number): Dataset {
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
