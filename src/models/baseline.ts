import { type AggregateTime, aggregateTimeHazards } from "./baselines/aggregate-time.ts";
import { type BinnedHazard, binnedHazards } from "./baselines/binned-hazard.ts";
import { type BuyTillYouDieHazard, buyTillYouDieHazards } from "./baselines/buy-till-you-die.ts";
import { type PoissonGamma, poissonGammaHazards } from "./baselines/poisson-gamma.ts";
import type { Dataset } from "./dataset.ts";

/** A model that answers without a network. */
export type Baseline =
  | { readonly kind: "binned-hazard"; readonly parameters: BinnedHazard }
  | { readonly kind: "aggregate-time"; readonly parameters: AggregateTime }
  | { readonly kind: "buy-till-you-die"; readonly parameters: BuyTillYouDieHazard }
  | { readonly kind: "poisson-gamma"; readonly parameters: PoissonGamma };

/** The hazard of every row in every interval, row-major (rows × intervals), uncalibrated. */
export function baselineHazards(baseline: Baseline, dataset: Dataset): Float64Array {
  switch (baseline.kind) {
    case "binned-hazard":
      return binnedHazards(baseline.parameters, dataset);
    case "aggregate-time":
      return aggregateTimeHazards(baseline.parameters, dataset);
    case "buy-till-you-die":
      return buyTillYouDieHazards(baseline.parameters, dataset);
    case "poisson-gamma":
      return poissonGammaHazards(baseline.parameters, dataset);
  }
}
