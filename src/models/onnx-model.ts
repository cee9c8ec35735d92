import protobuf from "protobufjs/light.js";

interface Constant {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: Float32Array | BigInt64Array;
}

interface Node {
  readonly operation: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attribute: Readonly<Record<string, number>>;
}

/** A graph of ONNX operations under construction: values go by names, and each operation gives one. */
export interface OnnxGraph {
  readonly constants: Constant[];
  readonly nodes: Node[];
}

/** The name of the rows that a graph is given. */
export const GIVEN = "given";

/** Adds a constant, row-major: 32-bit numbers, or integers as operations take them for places and shapes. */
export function addConstant(
  { constants }: OnnxGraph,
  values: Float32Array | readonly number[],
  dims: readonly number[] = [values.length],
): string {
  const name = `constant_${constants.length}`;
  const held = values instanceof Float32Array ? values : BigInt64Array.from(values, BigInt);
  constants.push({ name, dims, values: held });
  return name;
}

/** Adds an operation of operator set 17 and returns the name of what it gives; its attributes are integers. */
export function addNode(
  { nodes }: OnnxGraph,
  operation: string,
  inputs: readonly string[],
  attribute: Readonly<Record<string, number>> = {},
): string {
  const output = `${operation}_${nodes.length}`;
  nodes.push({ operation, inputs, output, attribute });
  return output;
}

/** What is used of the messages of ONNX, by their numbers in its specification (onnx.proto, IR version 8). */
const MESSAGES = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        irVersion: { type: "int64", id: 1 },
        producerName: { type: "string", id: 2 },
        graph: { type: "Graph", id: 7 },
        opsetImport: { rule: "repeated", type: "OperatorSet", id: 8 },
      },
    },
    OperatorSet: {
      fields: { domain: { type: "string", id: 1 }, version: { type: "int64", id: 2 } },
    },
    Graph: {
      fields: {
        node: { rule: "repeated", type: "Node", id: 1 },
        name: { type: "string", id: 2 },
        initializer: { rule: "repeated", type: "Tensor", id: 5 },
        input: { rule: "repeated", type: "ValueInfo", id: 11 },
        output: { rule: "repeated", type: "ValueInfo", id: 12 },
      },
    },
    Node: {
      fields: {
        input: { rule: "repeated", type: "string", id: 1 },
        output: { rule: "repeated", type: "string", id: 2 },
        opType: { type: "string", id: 4 },
        attribute: { rule: "repeated", type: "Attribute", id: 5 },
      },
    },
    Attribute: {
      fields: {
        name: { type: "string", id: 1 },
        i: { type: "int64", id: 3 },
        type: { type: "int32", id: 20 },
      },
    },
    Tensor: {
      fields: {
        dims: { rule: "repeated", type: "int64", id: 1 },
        dataType: { type: "int32", id: 2 },
        name: { type: "string", id: 8 },
        rawData: { type: "bytes", id: 9 },
      },
    },
    ValueInfo: { fields: { name: { type: "string", id: 1 }, type: { type: "Type", id: 2 } } },
    Type: { fields: { tensorType: { type: "TensorType", id: 1 } } },
    TensorType: {
      fields: { elemType: { type: "int32", id: 1 }, shape: { type: "Shape", id: 2 } },
    },
    Shape: { fields: { dim: { rule: "repeated", type: "Dimension", id: 1 } } },
    Dimension: {
      fields: { dimValue: { type: "int64", id: 1 }, dimParam: { type: "string", id: 2 } },
    },
  },
});

/** As ONNX numbers element types, and the type of an attribute. */
const TYPE = { float: 1, int64: 7, intAttribute: 2 };

/** What a model is given or gives: a name, and how many 32-bit numbers along each axis; a name there is any number. */
export interface OnnxValue {
  readonly name: string;
  readonly dims: readonly (number | string)[];
}

/** The graph as an ONNX model that makes `outputs`, values of its operations, of `inputs`. */
export function encodeOnnx(
  { constants, nodes }: OnnxGraph,
  inputs: readonly OnnxValue[],
  outputs: readonly OnnxValue[],
): Uint8Array {
  const model = MESSAGES.lookupType("Model");
  const message = model.fromObject({
    irVersion: 8,
    producerName: "herkoop",
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "network",
      input: inputs.map(messageOfValue),
      output: outputs.map(messageOfValue),
      initializer: constants.map(({ name, dims, values }) => ({
        name,
        dims,
        dataType: values instanceof Float32Array ? TYPE.float : TYPE.int64,
        // Little-endian, as is every processor that ONNX Runtime has a package for.
        rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      })),
      node: nodes.map(({ operation, inputs, output, attribute }) => ({
        opType: operation,
        input: inputs,
        output: [output],
        attribute: Object.entries(attribute).map(([name, i]) => ({
          name,
          i,
          type: TYPE.intAttribute,
        })),
      })),
    },
  });
  return model.encode(message).finish();
}

function messageOfValue({ name, dims }: OnnxValue): object {
  const dim = dims.map((one) => (typeof one === "string" ? { dimParam: one } : { dimValue: one }));
  return { name, type: { tensorType: { elemType: TYPE.float, shape: { dim } } } };
}
