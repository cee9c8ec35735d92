import type { InputLayer } from "./members.ts";
import { addConstant, addNode, GIVEN } from "./onnx-model.ts";
import { HINGE_SCALE, inputsOf, type Preprocessing, scoreWidth } from "./preprocess.ts";

/** Scores and flags, followed by each score's hinges, as the input layer of a hazard network. */
export function scoreInputs(preprocessing: Preprocessing): InputLayer {
  const { featureNames, hinges = [] } = preprocessing;
  return {
    width: scoreWidth(preprocessing),
    inputsOf: (given) => inputsOf(preprocessing, given),
    addTo: (graph) => {
      if (hinges.length === 0) {
        return GIVEN;
      }
      const [start, end, axis] = [0, featureNames.length, 1].map((at) => addConstant(graph, [at]));
      const scores = addNode(graph, "Slice", [GIVEN, start ?? "", end ?? "", axis ?? ""]);
      const scaled = addNode(graph, "Mul", [
        scores,
        addConstant(graph, Float32Array.of(HINGE_SCALE)),
      ]);
      const column = addNode(graph, "Unsqueeze", [scaled, addConstant(graph, [2])]);
      const bends = addConstant(
        graph,
        Float32Array.from(hinges, (bend) => HINGE_SCALE * bend),
      );
      const bent = addNode(graph, "Relu", [addNode(graph, "Sub", [column, bends])]);
      const flat = addConstant(graph, [0, featureNames.length * hinges.length]);
      return addNode(graph, "Concat", [GIVEN, addNode(graph, "Reshape", [bent, flat])], {
        axis: 1,
      });
    },
  };
}
