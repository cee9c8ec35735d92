import type { DenseLayer } from "./dense-layer.ts";
import type { TensorBackend } from "./tensor-backend.ts";

/** Members of a network on the tensor backend, until they are disposed of. */
export interface MemberTensors {
  /** The mean of the members' logits, row-major, from rows of inputs. */
  logitsOf(inputs: Float32Array, rows: number): Float32Array;
  dispose(): void;
}

/** Brings members' layers to the backend once, for as many batches as there are; ReLU between them, none after the last. */
export function openMembers(
  { tf }: TensorBackend,
  members: readonly (readonly DenseLayer[])[],
): MemberTensors {
  const layersOf = members.map((layers) =>
    layers.map((layer) => ({
      kernel: tf.tensor2d(layer.kernel, [layer.inputs, layer.units]),
      bias: tf.tensor1d(layer.bias),
    })),
  );
  return {
    logitsOf: (inputs, rows) =>
      tf.tidy(() => {
        const x = tf.tensor2d(inputs, [rows, inputs.length / rows]);
        const outputs = layersOf.map((layers) =>
          layers.reduce((value, { kernel, bias }, index) => {
            const sum = tf.add(tf.matMul(value, kernel), bias);
            return (index < layers.length - 1 ? tf.relu(sum) : sum) as typeof x;
          }, x),
        );
        return tf.div(tf.addN(outputs), outputs.length).dataSync() as Float32Array;
      }),
    dispose: () => {
      tf.dispose(layersOf);
    },
  };
}
