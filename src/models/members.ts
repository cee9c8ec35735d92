import type { DenseLayer } from "./dense-layer.ts";
import { addConstant, addNode, encodeOnnx, GIVEN, type OnnxGraph } from "./onnx-model.ts";
import { type OnnxRuntime, openOnnxModel } from "./onnx-runtime.ts";
import type { TensorBackend, Tf } from "./tensor-backend.ts";

/** Inputs that a graph makes of its rows. */
export interface GraphInputs {
  readonly name: string;
  /** Which of the network's inputs stands at each place. */
  readonly order: Int32Array;
}

/** How rows of numbers become the inputs of a network. */
export interface InputLayer {
  /** How many numbers a row has. */
  readonly width: number;
  /** The inputs of so many rows; both row-major. They hold until the next call. */
  inputsOf(given: Float32Array, rows: number): Float32Array;
  /** Adds the same to a graph, where it is worth it. */
  readonly addTo?: (graph: OnnxGraph) => GraphInputs;
}

/** What is multiplied: the members' layers, ReLU between them and none after the last, over inputs that they share. */
export interface MemberNetwork {
  readonly input: InputLayer;
  readonly intervals: number;
  readonly members: readonly (readonly DenseLayer[])[];
}

/** A network's members ready for rows, until closed. */
export interface OpenMembers {
  /** The mean of the members' logits of all rows, row-major (rows × intervals). Not called again before it answered. */
  logitsOf(given: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/** So many rows at a time: what a layer makes of them stays in the processor's second cache. */
const BATCH = 1024;

/** Brings a network once to what scores batches, ONNX Runtime or the tensor backend, for as many rows as there are. */
export async function openMembers(
  { tf, onnx }: TensorBackend,
  network: MemberNetwork,
): Promise<OpenMembers> {
  const engine = onnx === undefined ? openTensors(tf, network) : await openGraph(onnx, network);
  const { input, intervals } = network;
  return {
    logitsOf: async (given) => {
      const count = given.length / input.width;
      const logits = new Float32Array(count * intervals);
      for (let first = 0; first < count; first += BATCH) {
        const rows = Math.min(BATCH, count - first);
        const batch = given.subarray(first * input.width, (first + rows) * input.width);
        logits.set(await engine.run(batch, rows), first * intervals);
      }
      return logits;
    },
    close: () => engine.close(),
  };
}

/** What multiplies one batch. */
interface Engine {
  run(given: Float32Array, rows: number): Promise<Float32Array>;
  close(): Promise<void>;
}

function openTensors(tf: Tf, { input, members }: MemberNetwork): Engine {
  const layersOf = members.map((layers) =>
    layers.map((layer) => ({
      kernel: tf.tensor2d(layer.kernel, [layer.inputs, layer.units]),
      bias: tf.tensor1d(layer.bias),
    })),
  );
  return {
    run: async (given, rows) => {
      const inputs = input.inputsOf(given, rows);
      const mean = tf.tidy(() => {
        const x = tf.tensor2d(inputs, [rows, inputs.length / rows]);
        const outputs = layersOf.map((layers) =>
          layers.reduce((value, { kernel, bias }, index) => {
            const sum = tf.add(tf.matMul(value, kernel), bias);
            return (index < layers.length - 1 ? tf.relu(sum) : sum) as typeof x;
          }, x),
        );
        return tf.div(tf.addN(outputs), outputs.length);
      });
      try {
        return (await mean.data()) as Float32Array;
      } finally {
        mean.dispose();
      }
    },
    close: () => {
      tf.dispose(layersOf);
      return Promise.resolve();
    },
  };
}

async function openGraph(
  runtime: OnnxRuntime,
  { input, members, intervals }: MemberNetwork,
): Promise<Engine> {
  const graph: OnnxGraph = { constants: [], nodes: [] };
  const made = input.addTo?.(graph);
  const outputs = members.map((layers) =>
    layers.reduce((value, layer, index) => {
      const kernel =
        index === 0 && made !== undefined ? reordered(layer, made.order) : layer.kernel;
      const sum = addNode(graph, "Gemm", [
        value,
        addConstant(graph, kernel, [layer.inputs, layer.units]),
        addConstant(graph, layer.bias),
      ]);
      return index < layers.length - 1 ? addNode(graph, "Relu", [sum]) : sum;
    }, made?.name ?? GIVEN),
  );
  const result = addNode(graph, "Mean", outputs);
  const from = made === undefined ? (members[0]?.[0]?.inputs ?? 0) : input.width;
  const encoded = encodeOnnx(
    graph,
    [{ name: GIVEN, dims: ["rows", from] }],
    [{ name: result, dims: ["rows", intervals] }],
  );
  const model = await openOnnxModel(runtime, encoded);
  return {
    run: async (given, rows) => {
      const data = made === undefined ? input.inputsOf(given, rows) : given;
      const results = await model.run({ [GIVEN]: { data, dims: [rows, from] } });
      return results[result] ?? new Float32Array(0);
    },
    close: () => model.close(),
  };
}

function reordered({ kernel, units }: DenseLayer, order: Int32Array): Float32Array {
  const result = new Float32Array(kernel.length);
  order.forEach((from, at) => {
    result.set(kernel.subarray(from * units, (from + 1) * units), at * units);
  });
  return result;
}
