import type { InputLayer } from "../members.ts";
import { columnsOf, inputWidth, type PiecewiseInputs, writeInputs } from "./inputs.ts";

/** Piecewise-linear inputs of rows of features of the given names, as the input layer of an intent network. */
export function piecewiseLayer(
  inputs: PiecewiseInputs,
  featureNames: readonly string[],
): InputLayer {
  const width = featureNames.length;
  const columns = columnsOf(inputs, featureNames);
  const to = inputWidth(inputs);
  let target = new Float32Array(0);
  return {
    width,
    inputsOf: (given, rows) => {
      if (target.length < rows * to) {
        target = new Float32Array(rows * to);
      }
      for (let row = 0; row < rows; row++) {
        writeInputs(inputs, columns, given, row * width, target, row * to);
      }
      return target.subarray(0, rows * to);
    },
  };
}
