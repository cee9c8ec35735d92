import { seededRandom } from "../src/base/index.ts";
import type { DenseLayer } from "../src/models/dense-layer.ts";
import { intentTask, loadTensorBackend } from "../src/models/index.ts";
import { logitsOfRows } from "../src/models/intent/batch.ts";
import { visitTask } from "../src/models/intent/index.ts";
import { fitInputs, inputWidth } from "../src/models/intent/inputs.ts";
import { circumstances, writeResult } from "./result.ts";
import { randomRows, scoreResult, scoreTurn, type Turn, torchVersion } from "./score-cost.ts";

const ROWS = 20_000;
const RUNS = 3;

/**
 * What scoring batches with the intent network costs, by default and with the accelerator, beside torch MLPs of the same
 * inputs, layers and members. The weights are random: the cost does not depend on what they say.
 */
export async function run(): Promise<void> {
  const { horizonsMs, settings } = visitTask();
  const intervals = horizonsMs.length;
  const rows = randomRows(intentTask().service.features, ROWS, intervals);
  const inputs = fitInputs(rows, settings.bins);
  const width = inputWidth(inputs);
  const members = randomMembers([width, ...settings.hiddenUnits, intervals], settings.members);
  const network = { inputs, intervals, members };
  const backend = await loadTensorBackend();
  const turns: Turn[] = [];
  for (let turn = 0; turn < RUNS; turn++) {
    turns.push(
      await scoreTurn(backend, {
        rows: ROWS,
        inputs: width,
        intervals,
        members,
        score: (one) => logitsOfRows(one, network, rows),
      }),
    );
    console.error(JSON.stringify(turns.at(-1)));
  }
  const { notes, ...result } = scoreResult(turns);
  writeResult({
    ...circumstances("intent-cost"),
    versions: { node: process.versions.node, backend: backend.name, torch: torchVersion() },
    ...result,
    notes: [
      `${ROWS} rows of ${rows.featureNames.length} features and ${width} inputs, ${members.length} members.`,
      ...notes,
    ],
  });
}

function randomMembers(widths: readonly number[], count: number): DenseLayer[][] {
  const random = seededRandom(3);
  const numbers = (length: number): Float32Array =>
    Float32Array.from({ length }, () => (random.next() - 0.5) / 10);
  return Array.from({ length: count }, () =>
    widths.slice(1).map((units, layer) => {
      const from = widths[layer] ?? 0;
      return { inputs: from, units, kernel: numbers(from * units), bias: numbers(units) };
    }),
  );
}
