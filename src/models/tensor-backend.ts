import { createRequire } from "node:module";
import util from "node:util";
import type * as TensorFlow from "@tensorflow/tfjs";
import { messageOf } from "../base/index.ts";
import { findOnnxRuntime, type OnnxRuntime } from "./onnx-runtime.ts";

export type Tf = typeof TensorFlow;

export interface TensorBackend {
  readonly tf: Tf;
  /** `tensorflow` (tfjs-node), `wasm` or `cpu`. */
  readonly name: string;
  /** Takes gradients and scores batches in its place; undefined where it is not installed. */
  readonly onnx: OnnxRuntime | undefined;
  /** Why a faster one was not taken; empty if the fastest runs. */
  readonly notes: readonly string[];
}

/**
 * TensorFlow.js on the fastest backend of this machine: tfjs-node where it is installed and loads,
 * else WASM with SIMD, else plain JS. Loaded on first use only: serving needs no tensor library.
 */
export async function loadTensorBackend(): Promise<TensorBackend> {
  const notes: string[] = [];
  const onnx = findOnnxRuntime(notes);
  const native = loadNative(notes);
  if (native !== undefined) {
    await native.ready();
    return { tf: native, name: native.getBackend(), onnx, notes };
  }
  const tf = await import("@tensorflow/tfjs");
  try {
    await import("@tensorflow/tfjs-backend-wasm");
    if (!(await tf.setBackend("wasm"))) {
      throw new Error("the backend did not start");
    }
    await tf.ready();
    transposeBeforeMultiplying(tf);
  } catch (error) {
    notes.push(`wasm: ${messageOf(error)}`);
    await tf.setBackend("cpu");
    await tf.ready();
  }
  return { tf, name: tf.getBackend(), onnx, notes };
}

/** What computes, for logs and cards: the tensor backend, and what multiplies in its place. */
export function describeBackend({ name, onnx }: TensorBackend): string {
  return onnx === undefined ? name : `${name}; multiplying: onnxruntime`;
}

/** tfjs-node is optional: absent, or present without the binary its install step downloads. */
function loadNative(notes: string[]): Tf | undefined {
  // tfjs-node 4.22 calls helpers that Node 23 removed (tensorflow/tfjs#8609).
  const legacy = util as unknown as Record<string, unknown>;
  legacy["isNullOrUndefined"] ??= (value: unknown) => value === null || value === undefined;
  legacy["isArray"] ??= (value: unknown) => Array.isArray(value);
  try {
    return createRequire(import.meta.url)("@tensorflow/tfjs-node") as Tf;
  } catch (error) {
    notes.push(`tfjs-node: ${messageOf(error).split("\n")[0] ?? ""}`);
    return undefined;
  }
}

/**
 * The wasm backend multiplies fast (XNNPACK) only where neither operand is transposed, and every
 * gradient of a dense layer is a product with a transposed one. Transposing first makes a training
 * epoch about four times faster and changes no result.
 */
function transposeBeforeMultiplying(tf: Tf): void {
  const multiply = tf.getKernel("BatchMatMul", "wasm");
  const transpose = tf.getKernel("Transpose", "wasm");
  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel({
    ...multiply,
    kernelFunc: (params) => {
      const { inputs, attrs, backend } = params;
      const { transposeA, transposeB } = attrs as unknown as {
        transposeA: boolean;
        transposeB: boolean;
      };
      const temporary: TensorFlow.TensorInfo[] = [];
      const turned = (
        tensor: TensorFlow.TensorInfo,
        isTransposed: boolean,
      ): TensorFlow.TensorInfo => {
        if (!isTransposed) {
          return tensor;
        }
        const rank = tensor.shape.length;
        const perm = tensor.shape.map((_, axis) =>
          axis < rank - 2 ? axis : axis === rank - 2 ? rank - 1 : rank - 2,
        );
        const result = transpose.kernelFunc({
          inputs: { x: tensor },
          backend,
          attrs: { perm },
        }) as TensorFlow.TensorInfo;
        temporary.push(result);
        return result;
      };
      const { a, b } = inputs;
      if (a === undefined || b === undefined) {
        throw new Error("BatchMatMul without operands");
      }
      const product = multiply.kernelFunc({
        backend,
        inputs: { a: turned(a, transposeA), b: turned(b, transposeB) },
        attrs: { ...attrs, transposeA: false, transposeB: false },
      });
      for (const tensor of temporary) {
        (backend as { disposeData(id: object): void }).disposeData(tensor.dataId);
      }
      return product;
    },
  });
}
