import type { DenseLayer } from "../dense-layer.ts";
import type { PiecewiseInputs } from "./inputs.ts";
import type { IntentModel } from "./intent-model.ts";

/** A layer's form, its numbers being kept apart. */
type LayerForm = Pick<DenseLayer, "inputs" | "units">;

/** A model as JSON: the numbers of its network's layers are kept apart, in their order. */
export interface StoredIntent extends Omit<IntentModel, "system"> {
  readonly kind: "intent";
  readonly system:
    | Extract<IntentModel["system"], { kind: "rule" }>
    | {
        readonly kind: "network";
        readonly network: {
          readonly inputs: Omit<PiecewiseInputs, "typical"> & {
            readonly typical: readonly (number | null)[];
          };
          readonly intervals: number;
          readonly members: readonly (readonly LayerForm[])[];
        };
      };
}

/** Takes a model apart. An unknown typical value is null in JSON. */
export function storeIntent(model: IntentModel): {
  readonly content: StoredIntent;
  readonly members: readonly (readonly DenseLayer[])[];
} {
  const { system } = model;
  if (system.kind === "rule") {
    return { content: { ...model, kind: "intent", system }, members: [] };
  }
  const { members } = system.network;
  const forms = members.map((layers) => layers.map(({ inputs, units }) => ({ inputs, units })));
  return {
    content: {
      ...model,
      kind: "intent",
      system: { kind: "network", network: { ...system.network, members: forms } },
    },
    members,
  };
}

/** Puts a model together again; `layersOf` gives the layers of members of these forms. */
export function restoreIntent(
  stored: StoredIntent,
  layersOf: (forms: readonly (readonly LayerForm[])[]) => readonly (readonly DenseLayer[])[],
): IntentModel {
  const { system, horizonsMs, mainHorizon, calibration, quantiles } = stored;
  const content = { horizonsMs, mainHorizon, calibration, quantiles };
  if (system.kind === "rule") {
    return { ...content, system };
  }
  const { inputs, intervals } = system.network;
  const typical = inputs.typical.map((value) => value ?? Number.NaN);
  const members = layersOf(system.network.members);
  return {
    ...content,
    system: { kind: "network", network: { inputs: { ...inputs, typical }, intervals, members } },
  };
}
