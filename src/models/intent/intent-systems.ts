import { fitBinnedHazard } from "../baselines/binned-hazard.ts";
import type { TensorBackend } from "../tensor-backend.ts";
import type { IntentSystem } from "./intent-model.ts";
import type { VisitTask } from "./intent-task.ts";
import { type IntentSettings, trainIntentNetwork } from "./network.ts";
import { type IntentRows, trainingWeights } from "./rows.ts";

/** A way to answer: the network, or a baseline that it has to beat. */
export interface IntentCandidate {
  readonly name: string;
  fit(
    backend: TensorBackend,
    rows: IntentRows,
    task: VisitTask,
    onShare: (share: number) => void,
  ): Promise<IntentSystem>;
}

const RFM = ["browsing_recency_days", "customer_frequency", "customer_monetary"];

/** The network first, then the baselines, simplest first. */
export const INTENT_CANDIDATES: readonly IntentCandidate[] = [
  network("network", (settings) => settings),
  rule("marginal", null),
  rule("recency", "browsing_recency_days"),
  rule("cart", "cart_add_recency_days"),
  network("rfm-logistic", (settings) => ({ ...logisticOf(settings), featureNames: RFM })),
  network("logistic", logisticOf),
];

function network(
  name: string,
  settingsOf: (settings: IntentSettings) => IntentSettings,
): IntentCandidate {
  return {
    name,
    fit: async (backend, rows, { horizonsMs, settings }, onShare) => ({
      kind: "network",
      network: await trainIntentNetwork(
        backend,
        rows.dataset,
        trainingWeights(rows),
        horizonsMs.length,
        settingsOf(settings),
        onShare,
      ),
    }),
  };
}

function logisticOf(settings: IntentSettings): IntentSettings {
  return { ...settings, hiddenUnits: [], learningRate: 0.01, weightDecay: 0.1 };
}

function rule(name: string, feature: string | null): IntentCandidate {
  return {
    name,
    fit: (_backend, { dataset }, { horizonsMs }) =>
      Promise.resolve({
        kind: "rule",
        table: fitBinnedHazard(dataset, horizonsMs.length, feature),
      }),
  };
}
