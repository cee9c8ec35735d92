import type { Dataset } from "./dataset.ts";
import type { DenseLayer } from "./dense-layer.ts";
import type { TrainedNetwork } from "./hazard-network.ts";
import { openMembers } from "./member-tensors.ts";
import { columnsAmong, inputsOf, scoreMatrix, scoreWidth, writeScores } from "./preprocess.ts";
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
  const scores = new Float32Array(scoreWidth(network.preprocessing));
  const columns = columnsAmong(network.preprocessing, featureNames);
  writeScores(network.preprocessing, columns, features, 0, scores, 0);
  return logitsOfScores(network, scores);
}

/** The same from the row's scores and flags. */
export function logitsOfScores(network: TrainedNetwork, scores: Float32Array): Float64Array {
  const inputs = inputsOf(network.preprocessing, scores);
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
  const scores = scoreMatrix(network.preprocessing, dataset);
  return logitsOfMatrix(backend, network, scores);
}

/** The same from every row's scores and flags, row-major. */
export function logitsOfMatrix(
  backend: TensorBackend,
  network: TrainedNetwork,
  scores: Float32Array,
): Float32Array {
  const from = scoreWidth(network.preprocessing);
  const count = scores.length / from;
  const logits = new Float32Array(count * network.intervals);
  const members = openMembers(backend, network.members);
  for (let first = 0; first < count; first += BATCH) {
    const rows = Math.min(BATCH, count - first);
    const batch = scores.subarray(first * from, (first + rows) * from);
    const values = members.logitsOf(inputsOf(network.preprocessing, batch), rows);
    logits.set(values, first * network.intervals);
  }
  members.dispose();
  return logits;
}
