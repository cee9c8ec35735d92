import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What is used of WebAssembly; its types come with those of browsers alone. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** The functions of kernel.wat. Pointers and strides are in bytes. */
export interface Kernel {
  place(
    rows: number,
    given: number,
    givenStride: number,
    records: number,
    recordsEnd: number,
    starts: number,
    items: number,
  ): void;
  spread(
    rows: number,
    starts: number,
    table: number,
    base: number,
    sums: number,
    sumsStride: number,
  ): void;
  readonly dense32: DenseUnits;
  readonly dense4: DenseUnits;
}

export type DenseUnits = (
  rows: number,
  inputs: number,
  from: number,
  fromStride: number,
  kernel: number,
  kernelStride: number,
  bias: number,
  to: number,
  toStride: number,
) => void;

/** A kernel over memory of its own, whose numbers are seen through both views. */
export interface OpenKernel {
  readonly kernel: Kernel;
  readonly floats: Float32Array<ArrayBuffer>;
  readonly integers: Int32Array<ArrayBuffer>;
}

/** Hands out places in memory that is not there yet, each at the start of a line of the processor's cache. */
export class MemoryPlan {
  #bytes = 0;

  /** The pointer to so many 32-bit numbers. */
  take(count: number): number {
    const at = this.#bytes;
    this.#bytes += Math.ceil((4 * count) / LINE) * LINE;
    return at;
  }

  /** Makes the memory, all zeros, with a kernel over it. */
  open(): OpenKernel {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(this.#bytes / PAGE) });
    const { exports } = new WebAssembly.Instance(kernelModule(), { kernel: { memory } });
    return {
      kernel: exports as Kernel,
      floats: new Float32Array(memory.buffer),
      integers: new Int32Array(memory.buffer),
    };
  }
}

/** So many numbers make a vector. */
export const VECTOR = 4;

/** The least whole vectors that hold so many numbers, in numbers. */
export function wholeVectors(count: number): number {
  return Math.ceil(count / VECTOR) * VECTOR;
}

const LINE = 64;
const PAGE = 65_536;
let known: object | undefined;

function kernelModule(): object {
  known ??= new WebAssembly.Module(readFileSync(join(import.meta.dirname, "kernel.wasm")));
  return known;
}
