import { type Store, seededRandom } from "../../src/base/index.ts";
import { intentService } from "../../src/features/index.ts";
import { type Artifact, saveArtifact } from "../../src/models/artifact.ts";
import { loadTensorBackend } from "../../src/models/index.ts";
import type { IntentModel } from "../../src/models/intent/intent-model.ts";
import { type IntentNetwork, trainIntentNetwork } from "../../src/models/intent/network.ts";
import { registerChampion } from "../../src/models/registry-store.ts";
import type { Report } from "../../src/models/report.ts";
import { cardOf } from "./web.ts";

const HOUR_MS = 3_600_000;
const ROWS = 400;

/** Makes a small network the champion of intent: the more moments of the last half hour, the sooner the order. */
export async function smallIntentChampion(store: Store, folder: string): Promise<Artifact> {
  const random = seededRandom(3);
  const featureNames = intentService.features;
  const paces = Float32Array.from({ length: ROWS }, () => random.below(8));
  const features = new Float32Array(ROWS * featureNames.length);
  for (let row = 0; row < ROWS; row++) {
    featureNames.forEach((name, column) => {
      features[row * featureNames.length + column] =
        name === "moments_30m"
          ? (paces[row] ?? 0)
          : random.next() < 0.2
            ? Number.NaN
            : random.next();
    });
  }
  const network = await trainIntentNetwork(
    await loadTensorBackend(),
    {
      featureNames,
      rows: ROWS,
      features,
      cutoffs: new Float64Array(ROWS),
      customers: Int32Array.from({ length: ROWS }, (_, row) => row),
      products: [],
      events: Int16Array.from(paces, (pace) => (random.next() * 8 < pace ? random.below(3) : -1)),
      observed: new Int16Array(ROWS).fill(3),
    },
    new Float32Array(ROWS).fill(1),
    3,
    {
      bins: 6,
      hiddenUnits: [12, 6],
      epochs: 30,
      batchSize: 64,
      learningRate: 0.01,
      weightDecay: 0.1,
      members: 2,
      seed: 1,
    },
  );
  return crownIntent(store, folder, network, Date.parse("2024-05-01T00:00:00Z"), {
    horizonsMs: [HOUR_MS, 24 * HOUR_MS, 168 * HOUR_MS],
    mainHorizon: 1,
    calibration: [
      { intercept: 0.1, slope: 0.9 },
      { intercept: 0, slope: 1 },
      { intercept: -0.2, slope: 1 },
    ],
  });
}

/** Saves an intent network as of an instant (epoch ms) and makes it the champion. */
export function crownIntent(
  store: Store,
  folder: string,
  network: IntentNetwork,
  asOf: number,
  model: Pick<IntentModel, "horizonsMs" | "mainHorizon" | "calibration">,
): Artifact {
  const report = cardOf("conversion-intent", "network", []) as Report;
  const artifact = saveArtifact(
    folder,
    {
      model: "conversion-intent",
      system: "network",
      service: intentService,
      intervals: 1,
      intervalMs: model.horizonsMs.at(-1) ?? 0,
      spine: { entity: "customer", activeWithinDays: 30 },
      seed: 1,
      asOf,
      dataThrough: asOf,
      trainingRows: ROWS,
      calibration: { intercept: 0, slope: 1 },
      fitted: {
        kind: "intent",
        model: {
          ...model,
          system: { kind: "network", network },
          quantiles: Array.from({ length: 101 }, (_, index) => index / 100),
        },
      },
    },
    report,
  );
  registerChampion(store, artifact, report, asOf);
  return artifact;
}
