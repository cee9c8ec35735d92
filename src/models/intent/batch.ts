import { binnedHazards } from "../baselines/binned-hazard.ts";
import type { Dataset } from "../dataset.ts";
import { sigmoid } from "../distribution.ts";
import { prepareForward } from "./forward.ts";
import { type IntentModel, type IntentSystem, withinHorizons } from "./intent-model.ts";
import { type IntentNetwork, isHeldOut, isLeavingOut } from "./network.ts";

/** The uncalibrated hazards of every row's spans, row-major. */
export function spanHazards(system: IntentSystem, dataset: Dataset): Float64Array {
  return system.kind === "network"
    ? hazardsOfNetwork(system.network, dataset)
    : binnedHazards(system.table, dataset);
}

function hazardsOfNetwork(network: IntentNetwork, dataset: Dataset): Float64Array {
  return prepareForward(network, dataset.featureNames).logitsOf(dataset.features).map(sigmoid);
}

/**
 * The same, each row's by the member that did not see its customer in training; of a rule, and of a network whose
 * members saw everybody, those of `spanHazards`.
 */
export function heldOutHazards(system: IntentSystem, dataset: Dataset): Float64Array {
  if (system.kind === "rule" || !isLeavingOut(system.network.members.length)) {
    return spanHazards(system, dataset);
  }
  const { network } = system;
  const hazards = new Float64Array(dataset.rows * network.intervals);
  for (const [member, layers] of network.members.entries()) {
    const alone = hazardsOfNetwork({ ...network, members: [layers] }, dataset);
    for (let row = 0; row < dataset.rows; row++) {
      if (isHeldOut(dataset.customers[row] ?? 0, member, network.members.length)) {
        const at = row * network.intervals;
        hazards.set(alone.subarray(at, at + network.intervals), at);
      }
    }
  }
  return hazards;
}

/** P(an order within each horizon) of every row, row-major (rows × horizons). */
export function probabilitiesOfRows(model: IntentModel, dataset: Dataset): Float64Array {
  const spans = model.horizonsMs.length;
  const hazards = spanHazards(model.system, dataset);
  const result = new Float64Array(hazards.length);
  for (let row = 0; row < dataset.rows; row++) {
    const own = hazards.subarray(row * spans, (row + 1) * spans);
    result.set(withinHorizons(model, own), row * spans);
  }
  return result;
}
