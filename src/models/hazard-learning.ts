import type * as TensorFlow from "@tensorflow/tfjs";
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

/** One-cycle: linear warm-up over a tenth of the steps, then a cosine down to nothing. */
export function learningRateAt(step: number, steps: number, peak: number): number {
  const warm = Math.max(1, Math.floor(steps / 10));
  return step < warm
    ? (peak * (step + 1)) / warm
    : (peak * (1 + Math.cos((Math.PI * (step - warm)) / Math.max(1, steps - warm)))) / 2;
}

/**
 * One step of the censored likelihood of discrete hazards, then of decoupled weight decay (Loshchilov & Hutter 2019)
 * on matrices: each keeps 1 - `decay` of itself. Returns the mean loss of a row before the step, in nats.
 */
export function learnHazards(
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
