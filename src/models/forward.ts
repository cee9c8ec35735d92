import type { Dataset } from "./dataset.ts";
import type { DenseLayer, TrainedNetwork } from "./hazard-network.ts";
import { columnsAmong, inputMatrix, inputWidth, writeInputs } from "./preprocess.ts";
import type { TensorBackend } from "./tensor-backend.ts";

/**
 * The logits of one row without any tensor library: the mean over the members. `features` are those
 * of `featureNames` in order; NaN is unknown. Equal to the tensor path to 1e-5.
 */
export function logitsOfOne(
  network: TrainedNetwork,
  featureNames: readonly string[],
  features: Float32Array,
): Float64Array {
  const inputs = new Float32Array(inputWidth(network.preprocessing));
  const columns = columnsAmong(network.preprocessing, featureNames);
  writeInputs(network.preprocessing, columns, features, 0, inputs, 0);
  const mean = new Float64Array(network.intervals);
  for (const layers of network.members) {
    let value: Float32Array = inputs;
    layers.forEach((layer, index) => {
      value = dense(layer, value, index < layers.length - 1);
    });
    for (let k = 0; k < network.intervals; k++) {
      mean[k] = (mean[k] ?? 0) + (value[k] ?? 0) / network.members.length;
    }
  }
  return mean;
}

function dense(layer: DenseLayer, input: Float32Array, isRectified: boolean): Float32Array {
  const output = Float32Array.from(layer.bias);
  for (let i = 0; i < layer.inputs; i++) {
    const value = input[i] ?? 0;
    if (value !== 0) {
      const row = i * layer.units;
      for (let j = 0; j < layer.units; j++) {
        output[j] = (output[j] ?? 0) + value * (layer.kernel[row + j] ?? 0);
      }
    }
  }
  return isRectified ? output.map((value) => Math.max(0, value)) : output;
}

const BATCH = 8192;

/** The logits of every row, row-major (rows × intervals), in batches on the tensor backend. */
export function logitsOfAll(
  backend: TensorBackend,
  network: TrainedNetwork,
  dataset: Dataset,
): Float32Array {
  const { tf } = backend;
  const width = inputWidth(network.preprocessing);
  const logits = new Float32Array(dataset.rows * network.intervals);
  const inputs = inputMatrix(network.preprocessing, dataset);
  for (let from = 0; from < dataset.rows; from += BATCH) {
    const rows = Math.min(BATCH, dataset.rows - from);
    const values = tf.tidy(() => {
      const x = tf.tensor2d(inputs.subarray(from * width, (from + rows) * width), [rows, width]);
      const outputs = network.members.map((layers) =>
        layers.reduce((value, layer, index) => {
          const kernel = tf.tensor2d(layer.kernel, [layer.inputs, layer.units]);
          const sum = tf.add(tf.matMul(value, kernel), tf.tensor1d(layer.bias));
          return (index < layers.length - 1 ? tf.relu(sum) : sum) as typeof x;
        }, x),
      );
      return tf.div(tf.addN(outputs), outputs.length).dataSync();
    });
    logits.set(values, from * network.intervals);
  }
  return logits;
}
