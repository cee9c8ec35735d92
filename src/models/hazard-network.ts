import type * as TensorFlow from "@tensorflow/tfjs";
import type { Dataset } from "./dataset.ts";
import type { DenseLayer } from "./dense-layer.ts";
import { openBatches } from "./hazard-batches.ts";
import { learnEpochs } from "./hazard-learning.ts";
import { fitPreprocessing, inputWidth, type Preprocessing, scoreMatrix } from "./preprocess.ts";
import { scoreInputs } from "./score-inputs.ts";
import type { TensorBackend, Tf } from "./tensor-backend.ts";

/**
 * A discrete-time hazard network: one logit per interval, sigmoid(logit k) = P(purchase in interval
 * k | none before), trained with the censored likelihood (Gensheimer & Narasimhan 2019, "A scalable
 * discrete-time survival model for neural networks"). With one interval it is a binary classifier.
 */
export interface HazardSettings {
  readonly hiddenUnits: readonly number[];
  /** Times all rows are seen, at least; more where they make fewer than 400 steps. */
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Decoupled decay of the kernels per step, times the learning rate (Loshchilov & Hutter 2019). */
  readonly weightDecay: number;
  /** How many networks, differing in seed only, have their logits averaged. */
  readonly members: number;
  readonly seed: number;
  /** At how many places each input's curve bends before the first layer; none unless given. */
  readonly hinges?: number;
  /** How much the terms of the first four intervals count in the training loss; 1, as the later ones, unless given. */
  readonly soonWeight?: number;
  /** The features it reads; all of the data set's unless given. */
  readonly featureNames?: readonly string[];
}

/** A trained network, without any tensor: enough to save, load and serve it. */
export interface TrainedNetwork {
  readonly preprocessing: Preprocessing;
  readonly intervals: number;
  /** Per member, its layers; ReLU between them, none after the last. */
  readonly members: readonly (readonly DenseLayer[])[];
}

export interface TrainingRun {
  readonly network: TrainedNetwork;
  /** Mean negative log likelihood of the training rows in each epoch of the last member. */
  readonly losses: readonly number[];
}

/** Trains on all rows with at least one observed interval. `onEpoch` is told after each epoch. */
export async function trainHazardNetwork(
  backend: TensorBackend,
  dataset: Dataset,
  intervals: number,
  settings: HazardSettings,
  onEpoch?: (done: number, total: number) => void,
): Promise<TrainingRun> {
  const preprocessing = fitPreprocessing(dataset, settings.featureNames, settings.hinges);
  const scores = scoreMatrix(preprocessing, dataset);
  const members: DenseLayer[][] = [];
  let losses: number[] = [];
  for (let member = 0; member < settings.members; member++) {
    const seed = settings.seed * 1000 + member;
    const model = defineNetwork(
      backend.tf,
      inputWidth(preprocessing),
      intervals,
      settings.hiddenUnits,
      seed,
    );
    const layers = readLayers(model);
    model.dispose();
    const task = { dataset, preprocessing, scores, intervals, settings, seed };
    losses = await fit(backend, layers, task, (epoch) =>
      onEpoch?.(member * settings.epochs + epoch, settings.members * settings.epochs),
    );
    members.push(layers);
  }
  return {
    network: { preprocessing, intervals, members },
    losses,
  };
}

/** The network as a tfjs layers model; initial weights follow from the seed. */
export function defineNetwork(
  tf: Tf,
  inputs: number,
  intervals: number,
  hiddenUnits: readonly number[],
  seed: number,
): TensorFlow.LayersModel {
  const input = tf.input({ shape: [inputs] });
  let value = input;
  hiddenUnits.forEach((units, layer) => {
    const kernelInitializer = tf.initializers.heNormal({ seed: seed * 100 + layer });
    value = tf.layers
      .dense({ units, activation: "relu", kernelInitializer })
      .apply(value) as TensorFlow.SymbolicTensor;
  });
  const kernelInitializer = tf.initializers.glorotNormal({ seed: seed * 100 + 99 });
  // Purchases are rare: starting at a low hazard saves the first epoch from learning the base rate.
  const biasInitializer = tf.initializers.constant({ value: -4 });
  const output = tf.layers
    .dense({ units: intervals, kernelInitializer, biasInitializer })
    .apply(value);
  return tf.model({ inputs: input, outputs: output as TensorFlow.SymbolicTensor });
}

/** The layers of a model made by `defineNetwork`, as plain numbers. */
export function readLayers(model: TensorFlow.LayersModel): DenseLayer[] {
  return model.layers
    .filter((layer) => layer.getWeights().length === 2)
    .map((layer) => {
      const [kernel, bias] = layer.getWeights();
      if (kernel === undefined || bias === undefined) {
        throw new Error("a dense layer without kernel or bias");
      }
      const [inputs = 0, units = 0] = kernel.shape;
      return {
        inputs,
        units,
        kernel: Float32Array.from(kernel.dataSync()),
        bias: Float32Array.from(bias.dataSync()),
      };
    });
}

const MINIMUM_STEPS = 400;

/** How often a member sees every row: few rows make few steps an epoch, so they are seen more often. */
export function epochsFor(rows: number, settings: HazardSettings): number {
  return Math.max(settings.epochs, Math.ceil(MINIMUM_STEPS / Math.ceil(rows / settings.batchSize)));
}

interface FitTask {
  readonly dataset: Dataset;
  readonly preprocessing: Preprocessing;
  readonly scores: Float32Array;
  readonly intervals: number;
  readonly settings: HazardSettings;
  readonly seed: number;
}

async function fit(
  backend: TensorBackend,
  layers: readonly DenseLayer[],
  task: FitTask,
  onEpoch: (epoch: number) => void,
): Promise<number[]> {
  const { dataset, scores, intervals, settings, seed } = task;
  const { weights } = dataset;
  const termWeights = intervalWeights(intervals, settings);
  const order = Int32Array.from({ length: dataset.rows }, (_, row) => row);
  const epochs = epochsFor(dataset.rows, settings);
  return learnEpochs(
    backend,
    { input: scoreInputs(task.preprocessing), layers },
    order,
    { ...settings, epochs, seed },
    openBatches({ dataset, given: scores, weights, termWeights }, settings.batchSize),
    (done) => {
      onEpoch((done / epochs) * settings.epochs);
    },
  );
}

/** The intervals that `soonWeight` is about: those that audiences and the figures within four weeks read. */
const SOON_INTERVALS = 4;

/** How much each interval's term counts in the training loss. */
function intervalWeights(intervals: number, { soonWeight = 1 }: HazardSettings): Float32Array {
  return new Float32Array(intervals).fill(1).fill(soonWeight, 0, SOON_INTERVALS);
}
