import { createRequire } from "node:module";
import { messageOf } from "../base/index.ts";

/** What is used of a tensor of `onnxruntime-node`. */
interface OnnxTensor {
  readonly data: unknown;
}

/** What is used of a session of `onnxruntime-node`. */
interface OnnxSession {
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

/** Numbers by an input's or output's name, row-major; `dims` is how many along each axis. */
export type OnnxFeeds = Readonly<
  Record<string, { readonly data: Float32Array; readonly dims: readonly number[] }>
>;

/** A model that is ready to run, until it is closed. */
export interface OnnxModel {
  /** Each output by its name. Not called again before it answered. */
  run(feeds: OnnxFeeds): Promise<Readonly<Record<string, Float32Array>>>;
  close(): Promise<void>;
}

/**
 * Opens a model on a single thread: a machine's other cores have scoring threads, or another training, of their own.
 * Rejects where the runtime refuses the model.
 */
export async function openOnnxModel(runtime: OnnxRuntime, model: Uint8Array): Promise<OnnxModel> {
  const session = await runtime.InferenceSession.create(model, {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  return {
    run: async (feeds) => {
      const given = Object.entries(feeds).map(([name, { data, dims }]) => [
        name,
        new runtime.Tensor("float32", data, dims),
      ]);
      const results = await session.run(Object.fromEntries(given) as Record<string, OnnxTensor>);
      return Object.fromEntries(
        Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]),
      );
    },
    close: () => session.release(),
  };
}
