import type * as TensorFlow from "@tensorflow/tfjs";
import { seededRandom, shuffle } from "../base/index.ts";
import type { Tf } from "./tensor-backend.ts";

/**
 * Rows of a batch: inputs, what happened (the row's weight in the interval of the event) and which intervals were at
 * risk and seen (the weight in each); rows × inputs, and rows × intervals twice.
 */
export interface HazardBatch {
  readonly x: TensorFlow.Tensor2D;
  readonly happened: TensorFlow.Tensor2D;
  readonly atRisk: TensorFlow.Tensor2D;
}

/** How a member learns: so often all rows, in batches, at a one-cycle rate, with decoupled decay. */
export interface Learning {
  readonly epochs: number;
  readonly batchSize: number;
  /** The highest. */
  readonly learningRate: number;
  /** Per step, times the learning rate. */
  readonly weightDecay: number;
  /** Of the order of rows. */
  readonly seed: number;
}

/**
 * Teaches a network the rows of `order` (which is shuffled in place), and lets timers, messages and cancellation in
 * between batches. `onEpoch` hears how many epochs are done. Returns each epoch's mean loss of a row, in nats.
 */
export async function learnEpochs(
  tf: Tf,
  model: TensorFlow.LayersModel,
  order: Int32Array,
  { epochs, batchSize, learningRate, weightDecay, seed }: Learning,
  batchOf: (rows: Int32Array) => HazardBatch,
  onEpoch: (done: number) => void,
): Promise<number[]> {
  const random = seededRandom(seed);
  const batches = Math.ceil(order.length / batchSize);
  const optimizer = tf.train.adam(learningRate);
  const schedule = optimizer as unknown as { learningRate: number };
  const losses: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    let total = 0;
    for (let batch = 0; batch < batches; batch++) {
      const rate = learningRateAt(epoch * batches + batch, batches * epochs, learningRate);
      schedule.learningRate = rate;
      const rows = order.subarray(batch * batchSize, (batch + 1) * batchSize);
      const loss = learnBatch(tf, model, optimizer, () => batchOf(rows), rate * weightDecay);
      total += loss * rows.length;
      if (batch % 8 === 7) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    losses.push(total / order.length);
    onEpoch(epoch + 1);
  }
  optimizer.dispose();
  return losses;
}

/** One-cycle: linear warm-up over a tenth of the steps, then a cosine down to nothing. */
function learningRateAt(step: number, steps: number, peak: number): number {
  const warm = Math.max(1, Math.floor(steps / 10));
  return step < warm
    ? (peak * (step + 1)) / warm
    : (peak * (1 + Math.cos((Math.PI * (step - warm)) / Math.max(1, steps - warm)))) / 2;
}

/**
 * One step of the censored likelihood of discrete hazards, then of decoupled weight decay (Loshchilov & Hutter 2019)
 * on matrices: each keeps 1 - `decay` of itself. Returns the mean loss of a row before the step, in nats.
 */
function learnBatch(
  tf: Tf,
  model: TensorFlow.LayersModel,
  optimizer: TensorFlow.Optimizer,
  batchOf: () => HazardBatch,
  decay: number,
): number {
  return tf.tidy(() => {
    const { x, happened, atRisk } = batchOf();
    const loss = optimizer.minimize(() => {
      const logits = model.apply(x) as TensorFlow.Tensor2D;
      const terms = tf.sub(tf.mul(tf.softplus(logits), atRisk), tf.mul(logits, happened));
      return tf.div(tf.sum(terms), x.shape[0]);
    }, true);
    if (decay > 0) {
      for (const weight of model.trainableWeights) {
        const value = weight.read();
        if (value.rank === 2) {
          weight.write(tf.mul(value, 1 - decay));
        }
      }
    }
    return loss?.dataSync()[0] ?? Number.NaN;
  });
}
