import type { DenseLayer } from "./dense-layer.ts";
import type { HazardBatch, HazardGradient, LossAndGradients } from "./hazard-loss.ts";
import type { GraphInputs, InputLayer } from "./members.ts";
import {
  addConstant,
  addNode,
  encodeOnnx,
  GIVEN,
  type OnnxGraph,
  type OnnxValue,
} from "./onnx-model.ts";
import { type OnnxFeeds, type OnnxRuntime, openOnnxModel } from "./onnx-runtime.ts";

const [HAPPENED, AT_RISK] = ["happened", "at_risk"];
const kernelAt = (index: number): string => `kernel_${index}`;
const biasAt = (index: number): string => `bias_${index}`;

/**
 * On ONNX Runtime, which only runs models forward: back-propagation through dense layers is written out as operations
 * of the graph. The layers' numbers are given with every batch. `test/slow/accelerator.test.ts` holds it to TensorFlow.js.
 */
export async function openOnnxGradient(
  runtime: OnnxRuntime,
  input: InputLayer,
  layers: readonly DenseLayer[],
): Promise<HazardGradient> {
  const graph: OnnxGraph = { constants: [], nodes: [] };
  const made = input.addTo?.(graph);
  const { loss, gradients } = addGradients(graph, layers.length, made);
  const width = made === undefined ? (layers[0]?.inputs ?? 0) : input.width;
  const model = await openOnnxModel(
    runtime,
    encodeOnnx(graph, givenTo(layers, width), [
      { name: loss, dims: [] },
      ...valuesOf(gradients, layers),
    ]),
  );
  const parameters = feedsOf(layers);
  return {
    of: async (batch) => {
      const { rows, given } = batch;
      const data = made === undefined ? input.inputsOf(given, rows) : given;
      const results = await model.run({
        ...parameters,
        ...feedsOfOutcomes(batch),
        [GIVEN]: { data, dims: [rows, width] },
      });
      const answer: LossAndGradients = {
        loss: results[loss]?.[0] ?? Number.NaN,
        gradients: gradients.map((name) => results[name] ?? new Float32Array(0)),
      };
      return answer;
    },
    close: () => model.close(),
  };
}

/** Adds the loss, the sum of all terms, and its gradients by each layer's kernel and bias; their names. */
function addGradients(
  graph: OnnxGraph,
  depth: number,
  made: GraphInputs | undefined,
): { readonly loss: string; readonly gradients: readonly string[] } {
  const add = (operation: string, inputs: readonly string[], attribute = {}): string =>
    addNode(graph, operation, inputs, attribute);
  const order = made === undefined ? undefined : addConstant(graph, [...made.order]);
  const inputs = [made?.name ?? GIVEN];
  const inputOf = (index: number): string => inputs[index] ?? GIVEN;
  const sumOf = (index: number): string => {
    const given = kernelAt(index);
    const kernel = index === 0 && order !== undefined ? add("Gather", [given, order]) : given;
    return add("Gemm", [inputOf(index), kernel, biasAt(index)]);
  };
  for (let index = 0; index < depth - 1; index++) {
    inputs.push(add("Relu", [sumOf(index)]));
  }
  const last = depth - 1;
  const logits = sumOf(last);
  const risks = add("Mul", [add("Softplus", [logits]), AT_RISK]);
  const terms = add("Sub", [risks, add("Mul", [logits, HAPPENED])]);
  const loss = add("ReduceSum", [terms], { keepdims: 0 });

  const overRows = addConstant(graph, [0]);
  const gradients: string[] = [];
  // d softplus(z) / dz = sigmoid(z).
  let bySum = add("Sub", [add("Mul", [add("Sigmoid", [logits]), AT_RISK]), HAPPENED]);
  for (let index = last; index >= 0; index--) {
    const input = inputOf(index);
    const byKernel = add("Gemm", [input, bySum], { transA: 1 });
    gradients.unshift(
      index === 0 && made !== undefined
        ? add("Gather", [byKernel, addConstant(graph, placesOf(made.order))])
        : byKernel,
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

/** Where each of the network's inputs stands in an order of them. */
function placesOf(order: Int32Array): number[] {
  const places: number[] = [];
  order.forEach((input, place) => {
    places[input] = place;
  });
  return places;
}

function givenTo(layers: readonly DenseLayer[], width: number): OnnxValue[] {
  const intervals = layers.at(-1)?.units ?? 0;
  return [
    { name: GIVEN, dims: ["rows", width] },
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
function feedsOfOutcomes({ rows, happened, atRisk }: HazardBatch): OnnxFeeds {
  const intervals = atRisk.length / rows;
  const shareOf = (values: Float32Array): OnnxFeeds[string] => ({
    data: values.map((value) => value / rows),
    dims: [rows, intervals],
  });
  return {
    [HAPPENED]: shareOf(happened),
    [AT_RISK]: shareOf(atRisk),
  };
}
