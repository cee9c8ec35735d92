import type * as TensorFlow from "@tensorflow/tfjs";
import type { DenseLayer } from "./dense-layer.ts";
import type { HazardBatch, HazardGradient, LossAndGradients } from "./hazard-loss.ts";
import type { InputLayer } from "./members.ts";
import { openOnnxGradient } from "./onnx-gradient.ts";
import type { TensorBackend, Tf } from "./tensor-backend.ts";

/** On ONNX Runtime where it is installed, else on the tensor backend. */
export function openGradient(
  { tf, onnx }: TensorBackend,
  input: InputLayer,
  layers: readonly DenseLayer[],
): Promise<HazardGradient> {
  return onnx === undefined
    ? Promise.resolve(tensorGradient(tf, input, layers))
    : openOnnxGradient(onnx, input, layers);
}

function tensorGradient(tf: Tf, input: InputLayer, layers: readonly DenseLayer[]): HazardGradient {
  const of = ({ rows, given, happened, atRisk }: HazardBatch): Promise<LossAndGradients> => {
    let loss = Number.NaN;
    let gradients: Float32Array[] = [];
    // Not the closure's value: tidy looks for tensors in every number of that.
    tf.tidy(() => {
      const x = input.inputsOf(given, rows);
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
  return { of, close: () => Promise.resolve() };
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
