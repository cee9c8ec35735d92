import type { Dataset } from "./dataset.ts";
import type { DenseLayer } from "./dense-layer.ts";
import type { TrainedNetwork } from "./hazard-network.ts";
import { type OpenMembers, openMembers } from "./members.ts";
import { columnsAmong, inputsOf, scoreMatrix, scoreWidth, writeScores } from "./preprocess.ts";
import { scoreInputs } from "./score-inputs.ts";
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

/** A hazard network's members, for batches of rows of scores and flags. To be closed. */
export function openNetwork(backend: TensorBackend, network: TrainedNetwork): Promise<OpenMembers> {
  return openMembers(backend, { ...network, input: scoreInputs(network.preprocessing) });
}

/** The logits of every row, row-major (rows × intervals). */
export async function logitsOfAll(
  backend: TensorBackend,
  network: TrainedNetwork,
  dataset: Dataset,
): Promise<Float32Array> {
  const members = await openNetwork(backend, network);
  try {
    return await members.logitsOf(scoreMatrix(network.preprocessing, dataset));
  } finally {
    await members.close();
  }
}
