import {
  epochsFor,
  type TrainedNetwork,
  trainHazardNetwork,
} from "../src/models/hazard-network.ts";
import {
  hazardsOf,
  loadTensorBackend,
  repurchaseTask,
  type TensorBackend,
} from "../src/models/index.ts";
import { inputWidth } from "../src/models/preprocess.ts";
import { type BenchResult, circumstances, figureOf, medianOf, writeResult } from "./result.ts";
import {
  randomRows,
  scoreResult,
  scoreTurn,
  type Turn,
  torchCost,
  torchVersion,
} from "./score-cost.ts";

const ROWS = 60_000;
const RUNS = 3;

/**
 * What the reported network costs to train and to score with, in processor seconds, beside a torch MLP of the same
 * inputs, layers, epochs and batches on one thread, run by turns. Training begins at features in Herkoop, at inputs in torch.
 */
export async function run(): Promise<void> {
  const task = repurchaseTask();
  const { intervals, settings } = task;
  const rows = randomRows(task.service.features, ROWS, intervals);
  const epochs = epochsFor(ROWS, settings);
  const backend = await loadTensorBackend();
  const backends: Readonly<Record<string, TensorBackend>> = {
    herkoop: { ...backend, onnx: undefined },
    ...(backend.onnx === undefined ? {} : { "herkoop, accelerated": backend }),
  };
  const seconds = new Map<string, number[]>();
  const add = (system: string, value: number): void => {
    seconds.set(system, [...(seconds.get(system) ?? []), value]);
  };
  const turns: Turn[] = [];
  for (let turn = 0; turn < RUNS; turn++) {
    let network: TrainedNetwork | undefined;
    for (const [system, one] of Object.entries(backends)) {
      const since = process.cpuUsage();
      ({ network } = await trainHazardNetwork(one, rows, intervals, settings));
      const { user, system: kernel } = process.cpuUsage(since);
      add(system, (user + kernel) / 1e6);
    }
    if (network === undefined) {
      throw new Error("nothing was trained");
    }
    const scored = network;
    const shape = { rows: ROWS, inputs: inputWidth(scored.preprocessing), ...scored };
    add("torch", torchCost(shape, { epochs, batch: settings.batchSize }).train_seconds);
    const score = (one: TensorBackend): Promise<unknown> =>
      hazardsOf(one, { kind: "network", network: scored }, rows);
    turns.push(await scoreTurn(backend, { ...shape, score }));
    console.error(JSON.stringify({ train: Object.fromEntries(seconds), ...turns.at(-1) }));
  }
  const { notes, goals, systems } = scoreResult(turns);
  const training = (system: string): BenchResult["systems"][string] => {
    const own = seconds.get(system) ?? [];
    return {
      train_seconds: figureOf(own, "s"),
      train_rows_per_processor_second: figureOf(
        own.map((one) => (ROWS * epochs) / one),
        "rows",
      ),
    };
  };
  const ratioOf = (system: string): number =>
    medianOf(
      (seconds.get(system) ?? []).map(
        (one, turn) => one / (seconds.get("torch")?.[turn] ?? Number.NaN),
      ),
    );
  writeResult({
    ...circumstances("repurchase-cost"),
    versions: { node: process.versions.node, backend: backend.name, torch: torchVersion() },
    systems: {
      ...systems,
      ...Object.fromEntries(
        [...seconds.keys()].map((system) => [system, { ...training(system), ...systems[system] }]),
      ),
    },
    goals: [
      ...["herkoop", "herkoop, accelerated"].map((system) => ({
        text: `training: ${system} at most 1.5 times torch's processor seconds (median of the turns: ${
          seconds.has(system) ? ratioOf(system).toFixed(2) : "not installed"
        })`,
        met: ratioOf(system) <= 1.5,
      })),
      ...goals,
    ],
    notes: [
      `${ROWS} rows, ${epochs} epochs; processor seconds of the whole process while it trains or scores.`,
      ...notes,
    ],
  });
}
