import { type AggregateTime, aggregateTimeHazards } from "./baselines/aggregate-time.ts";
import { type BinnedHazard, binnedHazards } from "./baselines/binned-hazard.ts";
import { type BuyTillYouDieHazard, buyTillYouDieHazards } from "./baselines/buy-till-you-die.ts";
import { type PoissonGamma, poissonGammaHazards } from "./baselines/poisson-gamma.ts";
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
  | { readonly kind: "binned-hazard"; readonly parameters: BinnedHazard }
  | { readonly kind: "aggregate-time"; readonly parameters: AggregateTime }
  | { readonly kind: "buy-till-you-die"; readonly parameters: BuyTillYouDieHazard }
  | { readonly kind: "poisson-gamma"; readonly parameters: PoissonGamma }
  | { readonly kind: "intent"; readonly model: IntentModel };

/**
 * The hazard of every row in every interval, row-major (rows × intervals), uncalibrated. A model of intent has one
 * interval, up to its last horizon, and its calibration inside.
 */
export function hazardsOf(
  backend: TensorBackend,
  model: FittedModel,
  dataset: Dataset,
): Float64Array {
  switch (model.kind) {
    case "network":
      return Float64Array.from(logitsOfAll(backend, model.network, dataset), sigmoid);
    case "binned-hazard":
      return binnedHazards(model.parameters, dataset);
    case "aggregate-time":
      return aggregateTimeHazards(model.parameters, dataset);
    case "buy-till-you-die":
      return buyTillYouDieHazards(model.parameters, dataset);
    case "poisson-gamma":
      return poissonGammaHazards(model.parameters, dataset);
    case "intent": {
      const horizons = model.model.horizonsMs.length;
      return probabilitiesOfRows(backend, model.model, dataset).filter(
        (_, index) => index % horizons === horizons - 1,
      );
    }
  }
}
