import type { DenseLayer } from "../dense-layer.ts";
import { BLOCK_UNITS } from "./first-layer.ts";
import { type Kernel, type MemoryPlan, VECTOR, wholeVectors } from "./kernel.ts";

/** Where the first row's outputs stand, and how far it is from one row's to the next's; in bytes. */
export interface Outputs {
  readonly at: number;
  readonly stride: number;
}

/** A layer behind the first, in the kernel's memory. */
export interface PlannedLayer {
  write(floats: Float32Array): void;
  /** Goes through the layer, from outputs before they are rectified to its own, which begin at `to`. */
  run(kernel: Kernel, rows: number, from: Outputs, to: number): Outputs;
}

/** Takes what a layer needs; its units are padded to whole vectors. */
export function planLayer(plan: MemoryPlan, layer: DenseLayer): PlannedLayer {
  const columns = wholeVectors(layer.units);
  const weights = plan.take(layer.inputs * columns);
  const bias = plan.take(columns);
  const stride = columns * 4;
  return {
    write: (floats) => {
      floats.set(layer.bias, bias / 4);
      for (let input = 0; input < layer.inputs; input++) {
        const row = layer.kernel.subarray(input * layer.units, (input + 1) * layer.units);
        floats.set(row, weights / 4 + input * columns);
      }
    },
    run: (kernel, rows, from, to) => {
      for (let column = 0; column < columns; ) {
        const isWide = columns - column >= BLOCK_UNITS;
        const run = isWide ? kernel.dense32 : kernel.dense4;
        const at = column * 4;
        run(
          rows,
          layer.inputs,
          from.at,
          from.stride,
          weights + at,
          stride,
          bias + at,
          to + at,
          stride,
        );
        column += isWide ? BLOCK_UNITS : VECTOR;
      }
      return { at: to, stride };
    },
  };
}

/** Takes, per layer behind the first, room for what it makes of so many rows; the members use it one after the other. */
export function planOutputs(
  plan: MemoryPlan,
  members: readonly (readonly DenseLayer[])[],
  rows: number,
): number[] {
  const deepest = Math.max(...members.map((layers) => layers.length)) - 1;
  return Array.from({ length: deepest }, (_, index) => {
    const widest = Math.max(...members.map((layers) => layers[index + 1]?.units ?? 0));
    return plan.take(rows * wholeVectors(widest));
  });
}
