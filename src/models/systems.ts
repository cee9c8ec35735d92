import { DAY_MS, nearest, ServiceError } from "../base/index.ts";
import { fitAggregateTime } from "./baselines/aggregate-time.ts";
import { fitBinnedHazard } from "./baselines/binned-hazard.ts";
import { fitBuyTillYouDieHazard } from "./baselines/buy-till-you-die.ts";
import { fitPoissonGamma, type Rhythm } from "./baselines/poisson-gamma.ts";
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
  /** It is learned in steps, as networks are, and takes many rows. */
  readonly needsNetwork?: boolean;
  fit(
    backend: TensorBackend,
    dataset: Dataset,
    task: ModelTask,
    onShare: OnShare,
  ): Promise<FittedModel>;
}

/**
 * The network first, then the baselines, simplest first; those that the task names, if it does. Throws `invalid-input`
 * where one is unknown, or the gate has nothing to compare.
 */
export function systemsOf(task: ModelTask): System[] {
  const all = allSystems(task);
  if (task.systems === undefined) {
    return all;
  }
  const names = all.map(({ name }) => name);
  const unknown = task.systems.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ServiceError(
      "invalid-input",
      `systems: there is no system "${unknown}"; nearest: ${nearest(unknown, names).join(", ")}`,
      { field: "systems" },
    );
  }
  const chosen = all.filter(({ name }) => task.systems?.includes(name));
  if (chosen.length < 2 || chosen[0]?.name !== "network") {
    throw new ServiceError("invalid-input", "systems: name the network and a baseline at least", {
      field: "systems",
    });
  }
  return chosen;
}

function allSystems(task: ModelTask): System[] {
  const network: System = {
    name: "network",
    needsNetwork: true,
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
          aggregateTime(),
          poissonGamma("pair_frequency", "pair_tenure_days"),
          poissonGamma("pair_frequency", "pair_tenure_days", {
            recencyFeature: "pair_recency_days",
            gapFeature: "pair_gap_mean_days",
          }),
          buyTillYouDie("bg-nbd", false),
          buyTillYouDie("bg-cnbd-k", true),
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

function aggregateTime(): System {
  return {
    name: "aggregate-time",
    fit: (_backend, dataset, { intervals, intervalMs }) =>
      Promise.resolve({
        kind: "aggregate-time",
        parameters: fitAggregateTime(dataset, intervals, intervalMs / DAY_MS, {
          recencyFeature: "pair_recency_days",
          meanFeature: "product_gap_mean_days",
          spreadFeature: "product_gap_std_days",
        }),
      }),
  };
}

function buyTillYouDie(name: string, isRegular: boolean): System {
  const features = {
    frequency: "pair_frequency",
    recency: "pair_recency_days",
    tenure: "pair_tenure_days",
  };
  return {
    name,
    fit: (_backend, dataset, { intervals, intervalMs }) =>
      Promise.resolve({
        kind: "buy-till-you-die",
        parameters: fitBuyTillYouDieHazard(
          dataset,
          intervals,
          intervalMs / DAY_MS,
          features,
          isRegular,
        ),
      }),
  };
}

function poissonGamma(frequency: string, tenure: string, rhythm?: Rhythm): System {
  return {
    name: rhythm === undefined ? "poisson-gamma" : "modified-poisson-gamma",
    fit: (_backend, dataset, { intervals, intervalMs }) =>
      Promise.resolve({
        kind: "poisson-gamma",
        parameters: fitPoissonGamma(dataset, intervals, intervalMs / DAY_MS, {
          frequency,
          tenure,
          ...(rhythm === undefined ? {} : { rhythm }),
        }),
      }),
  };
}

/** A network without hidden layers: logistic regression per interval on the same inputs. */
function logistic(name: string, featureNames?: readonly string[]): System {
  return {
    name,
    needsNetwork: true,
    fit: (backend, dataset, { intervals, settings }, onShare) =>
      fitNetwork(
        backend,
        dataset,
        intervals,
        {
          ...settings,
          hiddenUnits: [],
          hinges: 0,
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
