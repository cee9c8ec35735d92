import { createRequire } from "node:module";
import { messageOf } from "../base/index.ts";

/** What is used of a tensor of `onnxruntime-node`. */
interface OnnxTensor {
  readonly data: unknown;
}

/** What is used of a session of `onnxruntime-node`. */
interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

/** What is used of `onnxruntime-node`. */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OnnxSession>;
  };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OnnxTensor;
}

/** ONNX Runtime, where somebody installed it beside Herkoop; otherwise undefined, and a note says why. */
export function findOnnxRuntime(notes: string[]): OnnxRuntime | undefined {
  try {
    return createRequire(import.meta.url)("onnxruntime-node") as OnnxRuntime;
  } catch (error) {
    notes.push(`onnxruntime-node: ${messageOf(error).split("\n")[0] ?? ""}`);
    return undefined;
  }
}

/** A model that is ready to run, until it is closed. */
export interface OnnxModel {
  /** What the model makes of so many rows, row-major. Not called again before it answered. */
  run(given: Float32Array, rows: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens a model of one input and one output on a single thread: a machine's other cores have scoring threads of
 * their own. Rejects where the runtime refuses the model.
 */
export async function openOnnxModel(runtime: OnnxRuntime, model: Uint8Array): Promise<OnnxModel> {
  const session = await runtime.InferenceSession.create(model, {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const [input = "", output = ""] = [session.inputNames[0], session.outputNames[0]];
  return {
    run: async (given, rows) => {
      const tensor = new runtime.Tensor("float32", given, [rows, given.length / rows]);
      const results = await session.run({ [input]: tensor });
      return results[output]?.data as Float32Array;
    },
    close: () => session.release(),
  };
}
