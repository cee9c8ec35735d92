import type * as TensorFlow from "@tensorflow/tfjs";
import { type Dataset, seenOf } from "../dataset.ts";
import type { DenseLayer } from "../dense-layer.ts";
import { openBatches } from "../hazard-batches.ts";
import { learnEpochs } from "../hazard-learning.ts";
import { defineNetwork, readLayers } from "../hazard-network.ts";
import type { TensorBackend, Tf } from "../tensor-backend.ts";
import { fitInputs, inputWidth, type PiecewiseInputs } from "./inputs.ts";
import { piecewiseLayer } from "./piecewise-layer.ts";

/** How an intent network is built and trained. */
export interface IntentSettings {
  /** Spans per feature, at most. */
  readonly bins: number;
  readonly hiddenUnits: readonly number[];
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Decoupled decay of the kernels per step, times the learning rate (Loshchilov & Hutter 2019). */
  readonly weightDecay: number;
  /** How many networks, differing in seed only, have their logits averaged. */
  readonly members: number;
  readonly seed: number;
  /** The features it reads; all of the data set's unless given. */
  readonly featureNames?: readonly string[];
}

/** A trained network as plain numbers. Its outputs are logits of the hazards of consecutive spans of time. */
export interface IntentNetwork {
  readonly inputs: PiecewiseInputs;
  readonly intervals: number;
  /** Per member, its layers; ReLU between them, none after the last. */
  readonly members: readonly (readonly DenseLayer[])[];
}

/**
 * Trains on the censored likelihood of the intervals, each row by its weight. `onShare` hears how far it is,
 * from 0 to 1. Without hidden units it is a logistic regression on piecewise-linear inputs.
 */
export async function trainIntentNetwork(
  backend: TensorBackend,
  dataset: Dataset,
  weights: Float32Array,
  intervals: number,
  settings: IntentSettings,
  onShare: (share: number) => void = () => undefined,
): Promise<IntentNetwork> {
  const inputs = fitInputs(dataset, settings.bins, settings.featureNames);
  const rates = hazardRates(dataset, weights, intervals);
  const task = { dataset, weights, inputs, intervals, settings };
  const members: DenseLayer[][] = [];
  for (let member = 0; member < settings.members; member++) {
    const seed = settings.seed * 1000 + member;
    const model = defineIntentNetwork(
      backend.tf,
      inputWidth(inputs),
      rates,
      settings.hiddenUnits,
      seed,
    );
    const layers = readLayers(model);
    model.dispose();
    await fit(backend, layers, task, member, (share) => {
      onShare((member + share) / settings.members);
    });
    members.push(layers);
  }
  return { inputs, intervals, members };
}

/** One member as a tfjs layers model; initial weights follow from the seed, initial hazards are `rates`. */
export function defineIntentNetwork(
  tf: Tf,
  width: number,
  rates: readonly number[],
  hiddenUnits: readonly number[],
  seed: number,
): TensorFlow.LayersModel {
  const model = defineNetwork(tf, width, rates.length, hiddenUnits, seed);
  const output = model.layers.at(-1);
  const [kernel] = output?.getWeights() ?? [];
  if (output !== undefined && kernel !== undefined) {
    const bias = tf.tensor1d(rates.map((rate) => Math.log(rate / (1 - rate))));
    output.setWeights([kernel, bias]);
    bias.dispose();
  }
  return model;
}

/** The weighted share of rows at risk in each interval to which it happened. */
function hazardRates(dataset: Dataset, weights: Float32Array, intervals: number): number[] {
  return Array.from({ length: intervals }, (_, interval) => {
    let happened = 0.5;
    let atRisk = 1;
    for (let row = 0; row < dataset.rows; row++) {
      const event = dataset.events[row] ?? -1;
      if (interval < seenOf(dataset, row, intervals)) {
        atRisk += weights[row] ?? 0;
        happened += event === interval ? (weights[row] ?? 0) : 0;
      }
    }
    return Math.min(0.5, happened / atRisk);
  });
}

interface FitTask {
  readonly dataset: Dataset;
  readonly weights: Float32Array;
  readonly inputs: PiecewiseInputs;
  readonly intervals: number;
  readonly settings: IntentSettings;
}

async function fit(
  backend: TensorBackend,
  layers: readonly DenseLayer[],
  task: FitTask,
  member: number,
  onShare: (share: number) => void,
): Promise<void> {
  const { dataset, weights, intervals, settings } = task;
  const termWeights = new Float32Array(intervals).fill(1);
  const order = Int32Array.from(dataset.customers.keys()).filter(
    (row) => !isHeldOut(dataset.customers[row] ?? 0, member, settings.members),
  );
  const batches = Math.ceil(order.length / settings.batchSize);
  const epochs = Math.max(settings.epochs, Math.ceil(STEPS_MIN / batches));
  await learnEpochs(
    backend,
    { input: piecewiseLayer(task.inputs, dataset.featureNames), layers },
    order,
    { ...settings, epochs, seed: settings.seed * 1000 + member },
    openBatches({ dataset, given: dataset.features, weights, termWeights }, settings.batchSize),
    (done) => {
      onShare(done / epochs);
    },
  );
}

/** Below this many members none leaves customers out. */
const FOLDS_MIN = 3;

/** Whether each customer is left out by one of so many members. */
export function isLeavingOut(members: number): boolean {
  return members >= FOLDS_MIN;
}

/**
 * Whether a member never saw a customer: each leaves out its share of them, so that all together have an opinion of
 * every training row from a member that did not learn from it, and calibration needs no training of its own.
 */
export function isHeldOut(customer: number, member: number, members: number): boolean {
  const mixed = Math.imul(customer ^ (customer >>> 15), 0x2c1b3c6d) >>> 0;
  return isLeavingOut(members) && (mixed >>> 8) % members === member;
}

/** A small data set is seen more often. */
const STEPS_MIN = 200;
