import type { GraphInputs, InputLayer } from "./members.ts";
import { addConstant, addNode, GIVEN, type OnnxGraph } from "./onnx-model.ts";
import { HINGE_SCALE, inputsOf, inputWidth, type Preprocessing, scoreWidth } from "./preprocess.ts";

/** Scores and flags, followed by each score's hinges, as the input layer of a hazard network. */
export function scoreInputs(preprocessing: Preprocessing): InputLayer {
  return {
    width: scoreWidth(preprocessing),
    inputsOf: (given) => inputsOf(preprocessing, given),
    ...((preprocessing.hinges ?? []).length === 0
      ? {}
      : { addTo: (graph) => addHinges(graph, preprocessing) }),
  };
}

/** All scores bent at the first hinge stand before all bent at the second: such rows are computed in long vectors. */
function addHinges(graph: OnnxGraph, preprocessing: Preprocessing): GraphInputs {
  const { featureNames, hinges = [] } = preprocessing;
  const features = featureNames.length;
  const own = scoreWidth(preprocessing);
  const bounds = [[0], [features], [1]].map((at) => addConstant(graph, at));
  const scores = addNode(graph, "Slice", [GIVEN, ...bounds]);
  const scale = addConstant(graph, Float32Array.of(HINGE_SCALE));
  const scaled = addNode(graph, "Mul", [scores, scale]);
  const copies = addNode(
    graph,
    "Concat",
    hinges.map(() => scaled),
    { axis: 1 },
  );
  const places = hinges.flatMap((bend) => featureNames.map(() => HINGE_SCALE * bend));
  const above = addNode(graph, "Sub", [copies, addConstant(graph, Float32Array.from(places))]);
  const bent = addNode(graph, "Relu", [above]);
  return {
    name: addNode(graph, "Concat", [GIVEN, bent], { axis: 1 }),
    order: Int32Array.from({ length: inputWidth(preprocessing) }, (_, at) => {
      const [hinge, feature] = [Math.floor((at - own) / features), (at - own) % features];
      return at < own ? at : own + feature * hinges.length + hinge;
    }),
  };
}
