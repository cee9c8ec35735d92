import { binnedHazards } from "../baselines/binned-hazard.ts";
import type { Dataset } from "../dataset.ts";
import { sigmoid } from "../distribution.ts";
import { openMembers } from "../member-tensors.ts";
import type { TensorBackend } from "../tensor-backend.ts";
import { columnsOf, inputWidth, writeInputs } from "./inputs.ts";
import { type IntentModel, type IntentSystem, withinHorizons } from "./intent-model.ts";
import { type IntentNetwork, isHeldOut, isLeavingOut } from "./network.ts";

const BATCH = 4096;

/** The logits of every row, row-major (rows × intervals), in batches on the tensor backend. */
export function logitsOfRows(
  backend: TensorBackend,
  network: IntentNetwork,
  dataset: Pick<Dataset, "rows" | "features" | "featureNames">,
): Float32Array {
  const { inputs, intervals } = network;
  const columns = columnsOf(inputs, dataset.featureNames);
  const width = inputWidth(inputs);
  const logits = new Float32Array(dataset.rows * intervals);
  const members = openMembers(backend, network.members);
  const x = new Float32Array(Math.min(BATCH, dataset.rows) * width);
  for (let from = 0; from < dataset.rows; from += BATCH) {
    const rows = Math.min(BATCH, dataset.rows - from);
    for (let row = 0; row < rows; row++) {
      const at = (from + row) * dataset.featureNames.length;
      writeInputs(inputs, columns, dataset.features, at, x, row * width);
    }
    logits.set(members.logitsOf(x.subarray(0, rows * width), rows), from * intervals);
  }
  members.dispose();
  return logits;
}

/** The uncalibrated hazards of every row's spans, row-major. */
export function spanHazards(
  backend: TensorBackend,
  system: IntentSystem,
  dataset: Dataset,
): Float64Array {
  return system.kind === "network"
    ? Float64Array.from(logitsOfRows(backend, system.network, dataset), sigmoid)
    : binnedHazards(system.table, dataset);
}

/**
 * The same, each row's by the member that did not see its customer in training; of a rule, and of a network whose
 * members saw everybody, those of `spanHazards`.
 */
export function heldOutHazards(
  backend: TensorBackend,
  system: IntentSystem,
  dataset: Dataset,
): Float64Array {
  if (system.kind === "rule" || !isLeavingOut(system.network.members.length)) {
    return spanHazards(backend, system, dataset);
  }
  const { network } = system;
  const hazards = new Float64Array(dataset.rows * network.intervals);
  network.members.forEach((layers, member) => {
    const alone = logitsOfRows(backend, { ...network, members: [layers] }, dataset);
    for (let row = 0; row < dataset.rows; row++) {
      if (isHeldOut(dataset.customers[row] ?? 0, member, network.members.length)) {
        const at = row * network.intervals;
        hazards.set(Array.from(alone.subarray(at, at + network.intervals), sigmoid), at);
      }
    }
  });
  return hazards;
}

/** P(an order within each horizon) of every row, row-major (rows × horizons). */
export function probabilitiesOfRows(
  backend: TensorBackend,
  model: IntentModel,
  dataset: Dataset,
): Float64Array {
  const spans = model.horizonsMs.length;
  const hazards = spanHazards(backend, model.system, dataset);
  const result = new Float64Array(hazards.length);
  for (let row = 0; row < dataset.rows; row++) {
    const own = hazards.subarray(row * spans, (row + 1) * spans);
    result.set(withinHorizons(model, own), row * spans);
  }
  return result;
}
