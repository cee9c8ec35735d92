import type { DenseLayer } from "./dense-layer.ts";
import type { HazardBatch, HazardGradient, HazardSlope } from "./hazard-slope.ts";
import { addConstant, addNode, encodeOnnx, type OnnxGraph, type OnnxValue } from "./onnx-model.ts";
import { type OnnxFeeds, type OnnxRuntime, openOnnxModel } from "./onnx-runtime.ts";

const [X, HAPPENED, AT_RISK] = ["x", "happened", "at_risk"];
const kernelAt = (index: number): string => `kernel_${index}`;
const biasAt = (index: number): string => `bias_${index}`;

/**
 * On ONNX Runtime, which only runs models forward: back-propagation through dense layers is written out as operations
 * of the graph. The layers' numbers are given with every batch. `test/slow/accelerator.test.ts` holds it to TensorFlow.js.
 */
export async function openOnnxGradient(
  runtime: OnnxRuntime,
  layers: readonly DenseLayer[],
): Promise<HazardGradient> {
  const graph: OnnxGraph = { constants: [], nodes: [] };
  const { loss, gradients } = addGradients(graph, layers.length);
  const model = await openOnnxModel(
    runtime,
    encodeOnnx(graph, givenTo(layers), [{ name: loss, dims: [] }, ...valuesOf(gradients, layers)]),
  );
  const parameters = feedsOf(layers);
  return {
    of: async (batch) => {
      const results = await model.run({ ...parameters, ...feedsOfBatch(batch) });
      const slope: HazardSlope = {
        loss: results[loss]?.[0] ?? Number.NaN,
        gradients: gradients.map((name) => results[name] ?? new Float32Array(0)),
      };
      return slope;
    },
    close: () => model.close(),
  };
}

/** Adds the loss, the sum of all terms, and its gradients by each layer's kernel and bias; their names. */
function addGradients(
  graph: OnnxGraph,
  depth: number,
): { readonly loss: string; readonly gradients: readonly string[] } {
  const add = (operation: string, inputs: readonly string[], attribute = {}): string =>
    addNode(graph, operation, inputs, attribute);
  const inputs = [X];
  for (let index = 0; index < depth - 1; index++) {
    const sum = add("Gemm", [inputs[index] ?? X, kernelAt(index), biasAt(index)]);
    inputs.push(add("Relu", [sum]));
  }
  const last = depth - 1;
  const logits = add("Gemm", [inputs[last] ?? X, kernelAt(last), biasAt(last)]);
  const risks = add("Mul", [add("Softplus", [logits]), AT_RISK]);
  const terms = add("Sub", [risks, add("Mul", [logits, HAPPENED])]);
  const loss = add("ReduceSum", [terms], { keepdims: 0 });

  const overRows = addConstant(graph, [0]);
  const gradients: string[] = [];
  // d softplus(z) / dz = sigmoid(z).
  let bySum = add("Sub", [add("Mul", [add("Sigmoid", [logits]), AT_RISK]), HAPPENED]);
  for (let index = last; index >= 0; index--) {
    const input = inputs[index] ?? X;
    gradients.unshift(
      add("Gemm", [input, bySum], { transA: 1 }),
      add("ReduceSum", [bySum, overRows], { keepdims: 0 }),
    );
    if (index > 0) {
      const byInput = add("Gemm", [bySum, kernelAt(index)], { transB: 1 });
      // ReLU's outputs are never below zero: their sign is its slope.
      bySum = add("Mul", [byInput, add("Sign", [input])]);
    }
  }
  return { loss, gradients };
}

function givenTo(layers: readonly DenseLayer[]): OnnxValue[] {
  const intervals = layers.at(-1)?.units ?? 0;
  return [
    { name: X, dims: ["rows", layers[0]?.inputs ?? 0] },
    { name: HAPPENED, dims: ["rows", intervals] },
    { name: AT_RISK, dims: ["rows", intervals] },
    ...valuesOf(
      layers.flatMap((_, index) => [kernelAt(index), biasAt(index)]),
      layers,
    ),
  ];
}

/** The shapes of kernels and biases, by the given names. */
function valuesOf(names: readonly string[], layers: readonly DenseLayer[]): OnnxValue[] {
  return layers.flatMap(({ inputs, units }, index) => [
    { name: names[2 * index] ?? "", dims: [inputs, units] },
    { name: names[2 * index + 1] ?? "", dims: [units] },
  ]);
}

function feedsOf(layers: readonly DenseLayer[]): OnnxFeeds {
  return Object.fromEntries(
    layers.flatMap(({ inputs, units, kernel, bias }, index) => [
      [kernelAt(index), { data: kernel, dims: [inputs, units] }],
      [biasAt(index), { data: bias, dims: [units] }],
    ]),
  );
}

/** The loss is a mean over rows: what counts of each is divided by their number. */
function feedsOfBatch({ rows, x, happened, atRisk }: HazardBatch): OnnxFeeds {
  const intervals = atRisk.length / rows;
  const shareOf = (values: Float32Array): OnnxFeeds[string] => ({
    data: values.map((value) => value / rows),
    dims: [rows, intervals],
  });
  return {
    [X]: { data: x, dims: [rows, x.length / rows] },
    [HAPPENED]: shareOf(happened),
    [AT_RISK]: shareOf(atRisk),
  };
}
