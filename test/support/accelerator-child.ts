import { seededRandom } from "../../src/base/index.ts";
import type { DenseLayer } from "../../src/models/dense-layer.ts";
import { logitsOfAll, logitsOfOne } from "../../src/models/forward.ts";
import { openGradient } from "../../src/models/hazard-gradient.ts";
import { describeBackend, loadTensorBackend } from "../../src/models/index.ts";
import { fitPreprocessing, inputWidth, scoreMatrix } from "../../src/models/preprocess.ts";
import { scoreInputs } from "../../src/models/score-inputs.ts";
import { hazardRows } from "./rows.ts";

/** What a process says of one network: logits of the first rows in a batch, and the farthest that a row alone is off. */
export interface NetworkAnswer {
  readonly logits: readonly number[];
  readonly farthest: number;
}

/** What it says of itself and of each network by its name. */
export interface AcceleratorAnswer {
  readonly backend: string;
  readonly notes: readonly string[];
  readonly networks: Readonly<Record<string, NetworkAnswer>>;
  readonly gradientsOf: Readonly<Record<string, GradientAnswer>>;
}

/** A batch's loss and its gradients by all layers' numbers. */
export interface GradientAnswer {
  readonly loss: number;
  readonly gradients: readonly (readonly number[])[];
}

/** More than two batches and not a whole number of them. */
const ROWS = 2500;
const INTERVALS = 5;

const backend = await loadTensorBackend();

function membersOf(inputs: number, hidden: readonly number[], count: number): DenseLayer[][] {
  const random = seededRandom(7);
  const widths = [inputs, ...hidden, INTERVALS];
  const numbers = (length: number): Float32Array =>
    Float32Array.from({ length }, () => random.next() - 0.5);
  return Array.from({ length: count }, () =>
    hidden.concat(INTERVALS).map((units, layer) => {
      const from = widths[layer] ?? 0;
      return { inputs: from, units, kernel: numbers(from * units), bias: numbers(units) };
    }),
  );
}

function answerOf(batch: Float32Array, alone: (row: number) => Float64Array): NetworkAnswer {
  let farthest = 0;
  for (let row = 0; row < ROWS; row++) {
    alone(row).forEach((value, interval) => {
      farthest = Math.max(farthest, Math.abs(value - (batch[row * INTERVALS + interval] ?? 0)));
    });
  }
  return { logits: [...batch], farthest };
}

async function hazards(
  hinges: number,
  hidden: readonly number[],
  count: number,
): Promise<NetworkAnswer> {
  const rows = hazardRows(ROWS, INTERVALS, 1);
  const preprocessing = fitPreprocessing(rows, rows.featureNames, hinges);
  const members = membersOf(inputWidth(preprocessing), hidden, count);
  const network = { preprocessing, intervals: INTERVALS, members };
  return answerOf(await logitsOfAll(backend, network, rows), (row) =>
    logitsOfOne(network, rows.featureNames, rows.features.subarray(2 * row, 2 * row + 2)),
  );
}

async function gradientAnswer(hidden: readonly number[], hinges: number): Promise<GradientAnswer> {
  const rows = 130;
  const random = seededRandom(5);
  const dataset = hazardRows(rows, INTERVALS, 1);
  const preprocessing = fitPreprocessing(dataset, dataset.featureNames, hinges);
  const [layers = []] = membersOf(inputWidth(preprocessing), hidden, 1);
  const gradient = await openGradient(backend, scoreInputs(preprocessing), layers);
  const { loss, gradients } = await gradient.of({
    rows,
    given: scoreMatrix(preprocessing, dataset),
    happened: Float32Array.from({ length: rows * INTERVALS }, () => random.below(2)),
    atRisk: Float32Array.from({ length: rows * INTERVALS }, () => random.next() + 0.5),
  });
  await gradient.close();
  return { loss, gradients: gradients.map((values) => [...values]) };
}

const answer: AcceleratorAnswer = {
  backend: describeBackend(backend),
  notes: backend.notes,
  networks: {
    "repurchase, hinges": await hazards(5, [24, 16], 1),
    "repurchase, members": await hazards(0, [12], 3),
    "repurchase, members and hinges": await hazards(2, [12, 7], 2),
    "repurchase, logistic": await hazards(0, [], 1),
  },
  gradientsOf: {
    "three hidden layers, hinges": await gradientAnswer([16, 12, 8], 5),
    "no hidden layer, hinges": await gradientAnswer([], 3),
    "one hidden layer": await gradientAnswer([6], 0),
  },
};
process.stdout.write(JSON.stringify(answer));
