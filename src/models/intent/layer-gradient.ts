import type { DenseLayer } from "../dense-layer.ts";
import type { IntentNetwork } from "./network.ts";

/** The logits of one row, and how a number made of them changes with each of the first layers' sums. */
export interface Slope {
  readonly logits: Float64Array;
  readonly gradient: Float64Array;
}

/**
 * Goes from the first layers' sums (all members' side by side) to the logits, averaged over the members, and back:
 * `byLogits` is how the number changes with each logit.
 */
export function slopeAt(
  { intervals, members }: IntentNetwork,
  sums: Float64Array,
  byLogits: (logits: Float64Array) => Float64Array,
): Slope {
  const logits = new Float64Array(intervals);
  let from = 0;
  const valuesOf = members.map((layers) => {
    const units = layers[0]?.units ?? 0;
    const values = [sums.subarray(from, from + units)];
    for (const layer of layers.slice(1)) {
      values.push(throughLayer(layer, values.at(-1) ?? sums));
    }
    values.at(-1)?.forEach((value, interval) => {
      logits[interval] = (logits[interval] ?? 0) + value / members.length;
    });
    from += units;
    return values;
  });
  const wanted = byLogits(logits).map((value) => value / members.length);
  const gradient = new Float64Array(sums.length);
  let to = 0;
  members.forEach((layers, member) => {
    const values = valuesOf[member] ?? [];
    const back = layers
      .slice(1)
      .reduceRight(
        (later, layer, index) => backThroughLayer(layer, later, values[index] ?? sums),
        wanted,
      );
    gradient.set(back, to);
    to += layers[0]?.units ?? 0;
  });
  return { logits, gradient };
}

/** A layer's sums of what its inputs are once rectified. */
function throughLayer(
  { inputs, units, kernel, bias }: DenseLayer,
  values: Float64Array,
): Float64Array<ArrayBuffer> {
  const output = Float64Array.from(bias);
  for (let input = 0; input < inputs; input++) {
    const value = values[input] ?? 0;
    if (value > 0) {
      const from = input * units;
      for (let unit = 0; unit < units; unit++) {
        output[unit] = (output[unit] ?? 0) + value * (kernel[from + unit] ?? 0);
      }
    }
  }
  return output;
}

/** The gradient by the sums that were rectified into a layer's inputs. */
function backThroughLayer(
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
