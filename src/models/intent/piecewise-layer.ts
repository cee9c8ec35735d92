import type { InputLayer } from "../members.ts";
import { addConstant, addNode, GIVEN, type OnnxGraph } from "../onnx-model.ts";
import { columnsOf, inputWidth, type PiecewiseInputs, writeInputs } from "./inputs.ts";

/** Piecewise-linear inputs of rows of features of the given names, as the input layer of an intent network. */
export function piecewiseLayer(
  inputs: PiecewiseInputs,
  featureNames: readonly string[],
): InputLayer {
  const width = featureNames.length;
  const columns = columnsOf(inputs, featureNames);
  return {
    width,
    inputsOf: (given, rows) => {
      const to = inputWidth(inputs);
      const target = new Float32Array(rows * to);
      for (let row = 0; row < rows; row++) {
        writeInputs(inputs, columns, given, row * width, target, row * to);
      }
      return target;
    },
    addTo: (graph) => addPiecewise(graph, inputs, columns, width),
  };
}

/**
 * Every input is (value - low) / (high - low), held between 0 and 1; an unknown value counts as the lowest edge, which
 * leaves its inputs 0. The input for "unknown" is made the same way, of columns that are 1 where one is unknown.
 */
function addPiecewise(
  graph: OnnxGraph,
  { edges, flags }: PiecewiseInputs,
  columns: Int32Array,
  width: number,
): string {
  const lowest = new Float32Array(width);
  const [places, lows, spans]: [number[], number[], number[]] = [[], [], []];
  edges.forEach((one, feature) => {
    const column = columns[feature] ?? 0;
    lowest[column] = one[0] ?? 0;
    for (let span = 0; span < one.length - 1; span++) {
      const [low, high] = [one[span] ?? 0, one[span + 1] ?? 0];
      places.push(column);
      lows.push(low);
      spans.push(high - low);
    }
    if (flags[feature] === true) {
      places.push(width + column);
      lows.push(0);
      spans.push(1);
    }
  });
  const unknown = addNode(graph, "IsNaN", [GIVEN]);
  const known = addNode(graph, "Where", [unknown, addConstant(graph, lowest), GIVEN]);
  const flag = addNode(graph, "Cast", [unknown], { to: 1 });
  const values = addNode(graph, "Concat", [known, flag], { axis: 1 });
  const each = addNode(graph, "Gather", [values, addConstant(graph, places)], { axis: 1 });
  const above = addNode(graph, "Sub", [each, addConstant(graph, Float32Array.from(lows))]);
  const share = addNode(graph, "Div", [above, addConstant(graph, Float32Array.from(spans))]);
  const [zero, one] = [0, 1].map((bound) => addConstant(graph, Float32Array.of(bound), []));
  return addNode(graph, "Clip", [share, zero ?? "", one ?? ""]);
}
