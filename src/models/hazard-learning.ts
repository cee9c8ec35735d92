import { nextTurn, seededRandom, shuffle } from "../base/index.ts";
import { openAdamW } from "./adam-w.ts";
import type { DenseLayer } from "./dense-layer.ts";
import { openGradient } from "./hazard-gradient.ts";
import { type HazardBatch, parametersOf } from "./hazard-loss.ts";
import type { InputLayer } from "./members.ts";
import type { TensorBackend } from "./tensor-backend.ts";

/** How a member learns: so often all rows, in batches, at a one-cycle rate, with decoupled decay. */
export interface Learning {
  readonly epochs: number;
  readonly batchSize: number;
  /** The highest. */
  readonly learningRate: number;
  /** Of kernels, per step, times the learning rate. */
  readonly weightDecay: number;
  /** Of the order of rows. */
  readonly seed: number;
}

/** What learns: layers over the inputs that an input layer makes of rows. */
export interface LearningNetwork {
  readonly input: InputLayer;
  readonly layers: readonly DenseLayer[];
}

/**
 * Teaches a network's layers, in place, the rows of `order` (which is shuffled in place), and lets timers, messages and cancellation
 * in between batches. `onEpoch` hears how many epochs are done. Returns each epoch's mean loss of a row, in nats.
 */
export async function learnEpochs(
  backend: TensorBackend,
  { input, layers }: LearningNetwork,
  order: Int32Array,
  { epochs, batchSize, learningRate, weightDecay, seed }: Learning,
  batchOf: (rows: Int32Array) => HazardBatch,
  onEpoch: (done: number) => void,
): Promise<number[]> {
  const random = seededRandom(seed);
  const batches = Math.ceil(order.length / batchSize);
  const optimizer = openAdamW(
    parametersOf(layers),
    layers.flatMap(() => [true, false]),
  );
  const losses: number[] = [];
  const gradient = await openGradient(backend, input, layers);
  try {
    for (let epoch = 0; epoch < epochs; epoch++) {
      shuffle(order, random);
      let total = 0;
      for (let batch = 0; batch < batches; batch++) {
        const rate = learningRateAt(epoch * batches + batch, batches * epochs, learningRate);
        const rows = order.subarray(batch * batchSize, (batch + 1) * batchSize);
        const { loss, gradients } = await gradient.of(batchOf(rows));
        optimizer.step(gradients, rate, rate * weightDecay);
        total += loss * rows.length;
        if (batch % 8 === 7) {
          await nextTurn();
        }
      }
      losses.push(total / order.length);
      onEpoch(epoch + 1);
    }
  } finally {
    await gradient.close();
  }
  return losses;
}

/** One-cycle: linear warm-up over a tenth of the steps, then a cosine down to nothing. */
function learningRateAt(step: number, steps: number, peak: number): number {
  const warm = Math.max(1, Math.floor(steps / 10));
  return step < warm
    ? (peak * (step + 1)) / warm
    : (peak * (1 + Math.cos((Math.PI * (step - warm)) / Math.max(1, steps - warm)))) / 2;
}
