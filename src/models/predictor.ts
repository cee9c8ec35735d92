import { type Baseline, baselineHazards } from "./baseline.ts";
import type { Dataset } from "./dataset.ts";
import { sigmoid } from "./distribution.ts";
import { logitsOfAll } from "./forward.ts";
import type { TrainedNetwork } from "./hazard-network.ts";
import { probabilitiesOfRows } from "./intent/batch.ts";
import type { IntentModel } from "./intent/intent-model.ts";
import type { TensorBackend } from "./tensor-backend.ts";

/** Anything that answers with hazards: what is saved, loaded and served, network or baseline. */
export type FittedModel =
  | { readonly kind: "network"; readonly network: TrainedNetwork }
  | Baseline
  | { readonly kind: "intent"; readonly model: IntentModel };

/**
 * The hazard of every row in every interval, row-major (rows × intervals), uncalibrated. A model of intent has one
 * interval, up to its last horizon, and its calibration inside.
 */
export async function hazardsOf(
  backend: TensorBackend,
  model: FittedModel,
  dataset: Dataset,
): Promise<Float64Array> {
  if (model.kind === "network") {
    return new Float64Array(await logitsOfAll(backend, model.network, dataset)).map(sigmoid);
  }
  if (model.kind === "intent") {
    const horizons = model.model.horizonsMs.length;
    const probabilities = probabilitiesOfRows(model.model, dataset);
    return probabilities.filter((_, index) => index % horizons === horizons - 1);
  }
  return baselineHazards(model, dataset);
}
