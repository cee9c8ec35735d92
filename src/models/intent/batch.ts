import { binnedHazards } from "../baselines/binned-hazard.ts";
import type { Dataset } from "../dataset.ts";
import { sigmoid } from "../distribution.ts";
import { openMembers } from "../members.ts";
import type { TensorBackend } from "../tensor-backend.ts";
import { type IntentModel, type IntentSystem, withinHorizons } from "./intent-model.ts";
import { type IntentNetwork, isHeldOut, isLeavingOut } from "./network.ts";
import { piecewiseLayer } from "./piecewise-layer.ts";

/** The logits of every row, row-major (rows × intervals). */
export async function logitsOfRows(
  backend: TensorBackend,
  network: IntentNetwork,
  dataset: Pick<Dataset, "features" | "featureNames">,
): Promise<Float32Array> {
  const input = piecewiseLayer(network.inputs, dataset.featureNames);
  const members = await openMembers(backend, { ...network, input });
  try {
    return await members.logitsOf(dataset.features);
  } finally {
    await members.close();
  }
}

/** The uncalibrated hazards of every row's spans, row-major. */
export async function spanHazards(
  backend: TensorBackend,
  system: IntentSystem,
  dataset: Dataset,
): Promise<Float64Array> {
  return system.kind === "network"
    ? new Float64Array(await logitsOfRows(backend, system.network, dataset)).map(sigmoid)
    : binnedHazards(system.table, dataset);
}

/**
 * The same, each row's by the member that did not see its customer in training; of a rule, and of a network whose
 * members saw everybody, those of `spanHazards`.
 */
export async function heldOutHazards(
  backend: TensorBackend,
  system: IntentSystem,
  dataset: Dataset,
): Promise<Float64Array> {
  if (system.kind === "rule" || !isLeavingOut(system.network.members.length)) {
    return spanHazards(backend, system, dataset);
  }
  const { network } = system;
  const hazards = new Float64Array(dataset.rows * network.intervals);
  for (const [member, layers] of network.members.entries()) {
    const alone = await logitsOfRows(backend, { ...network, members: [layers] }, dataset);
    for (let row = 0; row < dataset.rows; row++) {
      if (isHeldOut(dataset.customers[row] ?? 0, member, network.members.length)) {
        const at = row * network.intervals;
        hazards.set(Array.from(alone.subarray(at, at + network.intervals), sigmoid), at);
      }
    }
  }
  return hazards;
}

/** P(an order within each horizon) of every row, row-major (rows × horizons). */
export async function probabilitiesOfRows(
  backend: TensorBackend,
  model: IntentModel,
  dataset: Dataset,
): Promise<Float64Array> {
  const spans = model.horizonsMs.length;
  const hazards = await spanHazards(backend, model.system, dataset);
  const result = new Float64Array(hazards.length);
  for (let row = 0; row < dataset.rows; row++) {
    const own = hazards.subarray(row * spans, (row + 1) * spans);
    result.set(withinHorizons(model, own), row * spans);
  }
  return result;
}
