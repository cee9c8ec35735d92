import type * as TensorFlow from "@tensorflow/tfjs";
import type { DenseLayer } from "./dense-layer.ts";
import type { Tf } from "./tensor-backend.ts";

/**
 * Rows of a batch: inputs, what happened (the row's weight in the interval of the event) and which intervals were at
 * risk and seen (the weight in each); rows × inputs, and rows × intervals twice, row-major.
 */
export interface HazardBatch {
  readonly rows: number;
  readonly x: Float32Array;
  readonly happened: Float32Array;
  readonly atRisk: Float32Array;
}

/** The loss of a batch, in nats, a mean over its rows, and how it changes with each kernel and bias, in their order. */
export interface HazardSlope {
  readonly loss: number;
  readonly gradients: readonly Float32Array[];
}

/** Takes the gradient of the censored likelihood of discrete hazards by all layers' numbers; ReLU between the layers. */
export type HazardGradient = (
  layers: readonly DenseLayer[],
  batch: HazardBatch,
) => Promise<HazardSlope>;

/** The kernels and biases of layers, one after the other. */
export function parametersOf(layers: readonly DenseLayer[]): Float32Array[] {
  return layers.flatMap(({ kernel, bias }) => [kernel, bias]);
}

/** On TensorFlow.js. */
export function tensorGradient(tf: Tf): HazardGradient {
  return (layers, { rows, x, happened, atRisk }) => {
    let loss = Number.NaN;
    let gradients: Float32Array[] = [];
    // Not the closure's value: tidy looks for tensors in every number of that.
    tf.tidy(() => {
      const inputs = tf.tensor2d(x, [rows, x.length / rows]);
      const shape: [number, number] = [rows, atRisk.length / rows];
      const [event, risk] = [tf.tensor2d(happened, shape), tf.tensor2d(atRisk, shape)];
      const tensors = layers.flatMap((layer) => [
        tf.tensor2d(layer.kernel, [layer.inputs, layer.units]),
        tf.tensor1d(layer.bias),
      ]);
      const { value, grads } = tf.valueAndGrads((...parameters: TensorFlow.Tensor[]) => {
        const logits = forward(tf, inputs, parameters);
        const terms = tf.sub(tf.mul(tf.softplus(logits), risk), tf.mul(logits, event));
        return tf.div(tf.sum(terms), rows);
      })(tensors);
      loss = value.dataSync()[0] ?? Number.NaN;
      gradients = grads.map((one) => one.dataSync() as Float32Array);
    });
    return Promise.resolve({ loss, gradients });
  };
}

function forward(
  tf: Tf,
  inputs: TensorFlow.Tensor2D,
  parameters: readonly TensorFlow.Tensor[],
): TensorFlow.Tensor2D {
  let value = inputs;
  for (let at = 0; at < parameters.length; at += 2) {
    const [kernel, bias] = parameters.slice(at, at + 2);
    const sum = tf.add(tf.matMul(value, kernel as TensorFlow.Tensor2D), bias ?? 0);
    value = (at + 2 < parameters.length ? tf.relu(sum) : sum) as TensorFlow.Tensor2D;
  }
  return value;
}
