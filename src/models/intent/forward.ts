import type { DenseLayer } from "../dense-layer.ts";
import { columnsOf, inputOffsets, placeAmong } from "./inputs.ts";
import type { IntentNetwork } from "./network.ts";

/** A network made ready for one row at a time, with typed arrays alone. Not to be shared between threads. */
export interface IntentForward {
  /** How many units the first layers have, all members together. */
  readonly firstUnits: number;
  /** Writes what one feature's value adds to the first layers' sums. `feature` counts among the network's. */
  addFeature(feature: number, value: number, sums: Float64Array): void;
  /** The first layers' sums of one row: `features` holds it from `from` on. They are good until the next call. */
  sumsOf(features: ArrayLike<number>, from?: number): Float64Array;
  /** The logits from the first layers' sums, averaged over the members. */
  logitsFrom(sums: Float64Array): Float64Array;
  /** How a number whose gradient by the logits is `byLogits` changes with each of the first layers' sums. */
  gradientAt(sums: Float64Array, byLogits: Float64Array): Float64Array;
}

/**
 * Piecewise-linear inputs are 1 up to the span a value lies in, so what a feature adds to the first layer is a
 * running sum over its spans plus a share of the next: two rows of numbers per feature, however many spans.
 */
export function prepareForward(
  network: IntentNetwork,
  featureNames: readonly string[],
): IntentForward {
  const { inputs, intervals, members } = network;
  const columns = columnsOf(inputs, featureNames);
  const first = members.map(([layer]) => layer ?? EMPTY);
  const firstUnits = first.reduce((sum, { units }) => sum + units, 0);
  const kernel = joinedKernel(first, firstUnits);
  const running = runningSums(network, kernel, firstUnits);
  const bias = Float64Array.from(first.flatMap((layer) => [...layer.bias]));
  const offsets = inputOffsets(inputs);

  const addRow = (table: Float32Array, row: number, share: number, sums: Float64Array): void => {
    const from = row * firstUnits;
    for (let unit = 0; unit < firstUnits; unit++) {
      sums[unit] = (sums[unit] ?? 0) + share * (table[from + unit] ?? 0);
    }
  };
  /** All spans before one, and a share of it, in one pass over the sums. */
  const addRows = (row: number, share: number, sums: Float64Array): void => {
    const from = row * firstUnits;
    const before = from - firstUnits;
    for (let unit = 0; unit < firstUnits; unit++) {
      sums[unit] =
        (sums[unit] ?? 0) + (running[before + unit] ?? 0) + share * (kernel[from + unit] ?? 0);
    }
  };
  // A row's numbers are in arrays that are there: to allocate them for each costs collections more than computing costs.
  const sums = new Float64Array(firstUnits);
  const outputs = members.map((layers) =>
    layers.slice(1).map(({ units }) => new Float64Array(units)),
  );
  const addFeature = (feature: number, value: number, sums: Float64Array): void => {
    const edges = inputs.edges[feature] ?? [];
    const offset = offsets[feature] ?? 0;
    if (Number.isNaN(value)) {
      if (inputs.flags[feature] === true) {
        addRow(kernel, offset + edges.length - 1, 1, sums);
      }
      return;
    }
    // Inputs are 32-bit numbers in training, and here.
    const { span, share } = placeAmong(edges, Math.fround(value));
    if (span > 0 && share > 0) {
      addRows(offset + span, Math.fround(share), sums);
    } else if (span > 0) {
      addRow(running, offset + span - 1, 1, sums);
    } else if (share > 0) {
      addRow(kernel, offset, Math.fround(share), sums);
    }
  };
  return {
    firstUnits,
    addFeature,
    sumsOf: (features, from = 0) => {
      sums.set(bias);
      for (let feature = 0; feature < columns.length; feature++) {
        addFeature(feature, features[from + (columns[feature] ?? 0)] ?? Number.NaN, sums);
      }
      return sums;
    },
    logitsFrom: (sums) => {
      const logits = new Float64Array(intervals);
      let at = 0;
      for (const [member, layers] of members.entries()) {
        const units = layers[0]?.units ?? 0;
        let values = sums.subarray(at, at + units);
        outputs[member]?.forEach((output, index) => {
          writeDense(output, layers[index + 1] ?? EMPTY, values);
          values = output;
        });
        addTo(logits, values, 1 / members.length);
        at += units;
      }
      return logits;
    },
    gradientAt: (sums, byLogits) => {
      const gradient = new Float64Array(firstUnits);
      let at = 0;
      for (const layers of members) {
        const units = layers[0]?.units ?? 0;
        const values = [sums.subarray(at, at + units)];
        for (const layer of layers.slice(1)) {
          const output = new Float64Array(layer.units);
          writeDense(output, layer, values.at(-1) ?? sums);
          values.push(output);
        }
        let back = byLogits.map((value) => value / members.length);
        for (let index = layers.length - 1; index > 0; index--) {
          back = backward(layers[index] ?? EMPTY, back, values[index - 1] ?? sums);
        }
        gradient.set(back, at);
        at += units;
      }
      return gradient;
    },
  };
}

const EMPTY: DenseLayer = {
  inputs: 0,
  units: 0,
  kernel: new Float32Array(0),
  bias: new Float32Array(0),
};

/** The members' first kernels side by side: inputs × all units. */
function joinedKernel(first: readonly DenseLayer[], firstUnits: number): Float32Array {
  const inputs = first[0]?.inputs ?? 0;
  const joined = new Float32Array(inputs * firstUnits);
  let at = 0;
  for (const { units, kernel } of first) {
    for (let input = 0; input < inputs; input++) {
      for (let unit = 0; unit < units; unit++) {
        joined[input * firstUnits + at + unit] = kernel[input * units + unit] ?? 0;
      }
    }
    at += units;
  }
  return joined;
}

/** Per feature, the sums over its spans up to and with each. */
function runningSums(
  { inputs }: IntentNetwork,
  kernel: Float32Array,
  firstUnits: number,
): Float32Array {
  const running = new Float32Array(kernel.length);
  const offsets = inputOffsets(inputs);
  const sums = new Float64Array(firstUnits);
  inputs.edges.forEach((edges, feature) => {
    const offset = offsets[feature] ?? 0;
    sums.fill(0);
    for (let span = 0; span < edges.length - 1; span++) {
      for (let unit = 0; unit < firstUnits; unit++) {
        const at = (offset + span) * firstUnits + unit;
        sums[unit] = (sums[unit] ?? 0) + (kernel[at] ?? 0);
        running[at] = sums[unit] ?? 0;
      }
    }
  });
  return running;
}

/** A layer's sums of what its inputs are once rectified, written to `output`. */
function writeDense(
  output: Float64Array,
  { inputs, units, kernel, bias }: DenseLayer,
  values: Float64Array,
): void {
  output.set(bias);
  for (let input = 0; input < inputs; input++) {
    const value = values[input] ?? 0;
    if (value > 0) {
      const from = input * units;
      for (let unit = 0; unit < units; unit++) {
        output[unit] = (output[unit] ?? 0) + value * (kernel[from + unit] ?? 0);
      }
    }
  }
}

/** The gradient by the sums that were rectified into a layer's inputs. */
function backward(
  { inputs, units, kernel }: DenseLayer,
  gradient: Float64Array,
  sums: Float64Array,
): Float64Array<ArrayBuffer> {
  const result = new Float64Array(inputs);
  for (let input = 0; input < inputs; input++) {
    if ((sums[input] ?? 0) > 0) {
      let sum = 0;
      for (let unit = 0; unit < units; unit++) {
        sum += (gradient[unit] ?? 0) * (kernel[input * units + unit] ?? 0);
      }
      result[input] = sum;
    }
  }
  return result;
}

function addTo(target: Float64Array, values: Float64Array, factor: number): void {
  for (let index = 0; index < target.length; index++) {
    target[index] = (target[index] ?? 0) + factor * (values[index] ?? 0);
  }
}
