import { DAY_MS } from "../base/index.ts";
import { fitBinnedHazard } from "./baselines/binned-hazard.ts";
import { fitPoissonGamma } from "./baselines/poisson-gamma.ts";
import type { Dataset } from "./dataset.ts";
import { type HazardSettings, trainHazardNetwork } from "./hazard-network.ts";
import type { FittedModel } from "./predictor.ts";
import type { ModelTask } from "./task.ts";
import type { TensorBackend } from "./tensor-backend.ts";

/** How far a fit is, as a share from 0 to 1. */
export type OnShare = (share: number) => void;

/** A way to answer the task's question: the network, or a baseline that it has to beat. */
export interface System {
  readonly name: string;
  fit(
    backend: TensorBackend,
    dataset: Dataset,
    task: ModelTask,
    onShare: OnShare,
  ): Promise<FittedModel>;
}

/** The network first, then the baselines, simplest first. */
export function systemsOf(task: ModelTask): System[] {
  const network: System = {
    name: "network",
    fit: (backend, dataset, { intervals, settings }, onShare) =>
      fitNetwork(backend, dataset, intervals, settings, onShare),
  };
  const baselines =
    task.model === "repurchase-week"
      ? [
          binned("marginal", null),
          binned("recency", "pair_recency_days"),
          binned("personal-gap", "pair_overdue_ratio"),
          binned("product-gap", "pair_product_overdue_ratio"),
          poissonGamma("pair_frequency", "pair_tenure_days"),
          logistic("logistic-hazard"),
        ]
      : [
          binned("marginal", null),
          binned("recency", "customer_recency_days"),
          poissonGamma("customer_frequency", "customer_tenure_days"),
          logistic("rfm-logistic", [
            "customer_recency_days",
            "customer_frequency",
            "customer_monetary",
          ]),
          logistic("logistic"),
        ];
  return [network, ...baselines];
}

async function fitNetwork(
  backend: TensorBackend,
  dataset: Dataset,
  intervals: number,
  settings: HazardSettings,
  onShare: OnShare,
): Promise<FittedModel> {
  const run = await trainHazardNetwork(backend, dataset, intervals, settings, (done, total) => {
    onShare(done / total);
  });
  return { kind: "network", network: run.network };
}

function binned(name: string, feature: string | null): System {
  return {
    name,
    fit: (_backend, dataset, { intervals }) =>
      Promise.resolve({
        kind: "binned-hazard",
        parameters: fitBinnedHazard(dataset, intervals, feature),
      }),
  };
}

function poissonGamma(frequency: string, tenure: string): System {
  return {
    name: "poisson-gamma",
    fit: (_backend, dataset, { intervals, intervalMs }) =>
      Promise.resolve({
        kind: "poisson-gamma",
        parameters: fitPoissonGamma(dataset, intervals, intervalMs / DAY_MS, { frequency, tenure }),
      }),
  };
}

/** A network without hidden layers: logistic regression per interval on the same inputs. */
function logistic(name: string, featureNames?: readonly string[]): System {
  return {
    name,
    fit: (backend, dataset, { intervals, settings }, onShare) =>
      fitNetwork(
        backend,
        dataset,
        intervals,
        {
          ...settings,
          hiddenUnits: [],
          members: 1,
          batchSize: 4096,
          learningRate: 0.02,
          weightDecay: 0,
          ...(featureNames === undefined ? {} : { featureNames }),
        },
        onShare,
      ),
  };
}
