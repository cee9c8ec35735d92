import {
  epochsFor,
  type TrainedNetwork,
  trainHazardNetwork,
} from "../src/models/hazard-network.ts";
import { hazardsOf, loadTensorBackend, repurchaseTask } from "../src/models/index.ts";
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
  const [ours, theirs]: [number[], number[]] = [[], []];
  const turns: Turn[] = [];
  for (let turn = 0; turn < RUNS; turn++) {
    const since = process.cpuUsage();
    const trained: { readonly network: TrainedNetwork } = await trainHazardNetwork(
      backend,
      rows,
      intervals,
      settings,
    );
    const { user, system } = process.cpuUsage(since);
    ours.push((user + system) / 1e6);
    const { network } = trained;
    const shape = { rows: ROWS, inputs: inputWidth(network.preprocessing), ...network };
    theirs.push(torchCost(shape, { epochs, batch: settings.batchSize }).train_seconds);
    const score = (one: typeof backend): Promise<unknown> =>
      hazardsOf(one, { kind: "network", network }, rows);
    turns.push(await scoreTurn(backend, { ...shape, score }));
    console.error(JSON.stringify({ train: [ours.at(-1), theirs.at(-1)], ...turns.at(-1) }));
  }
  const ratio = medianOf(ours.map((seconds, turn) => seconds / (theirs[turn] ?? Number.NaN)));
  const { notes, goals, systems } = scoreResult(turns);
  const training = (seconds: readonly number[]): BenchResult["systems"][string] => ({
    train_seconds: figureOf(seconds, "s"),
    train_rows_per_processor_second: figureOf(
      seconds.map((one) => (ROWS * epochs) / one),
      "rows",
    ),
  });
  writeResult({
    ...circumstances("repurchase-cost"),
    versions: { node: process.versions.node, backend: backend.name, torch: torchVersion() },
    systems: {
      ...systems,
      herkoop: { ...training(ours), ...systems["herkoop"] },
      torch: { ...training(theirs), ...systems["torch"] },
    },
    goals: [
      {
        text: `training at most 1.5 times torch's processor seconds (median of the turns: ${ratio.toFixed(2)})`,
        met: ratio <= 1.5,
      },
      ...goals,
    ],
    notes: [
      `${ROWS} rows, ${epochs} epochs; processor seconds of the whole process while it trains or scores.`,
      ...notes,
    ],
  });
}
