import { type Store, seededRandom, systemClock } from "../../src/base/index.ts";
import { intentService } from "../../src/features/index.ts";
import { saveArtifact } from "../../src/models/artifact.ts";
import { loadTensorBackend } from "../../src/models/index.ts";
import { trainIntentNetwork, visitTask } from "../../src/models/intent/index.ts";
import { registerChampion } from "../../src/models/registry-store.ts";
import type { Report } from "../../src/models/report.ts";

const ROWS = 2_000;

/** Makes a network of the served size the champion; it was shown noise, since only its cost matters here. */
export async function noiseChampion(store: Store, folder: string): Promise<void> {
  const random = seededRandom(1);
  const { horizonsMs, mainHorizon, settings } = visitTask();
  const featureNames = intentService.features;
  const network = await trainIntentNetwork(
    await loadTensorBackend(),
    {
      featureNames,
      rows: ROWS,
      features: Float32Array.from({ length: ROWS * featureNames.length }, () =>
        random.next() < 0.1 ? Number.NaN : random.next() * 10,
      ),
      cutoffs: new Float64Array(ROWS),
      customers: Int32Array.from({ length: ROWS }, (_, row) => row),
      products: [],
      events: Int16Array.from({ length: ROWS }, () => random.below(6) - 3).map((event) =>
        Math.max(-1, event),
      ),
      observed: new Int16Array(ROWS).fill(horizonsMs.length),
    },
    new Float32Array(ROWS).fill(1),
    horizonsMs.length,
    { ...settings, epochs: 1, batchSize: 500 },
  );
  const report = { model: "conversion-intent", systems: {}, pruning: [] } as unknown as Report;
  const asOf = systemClock.now();
  const artifact = saveArtifact(
    folder,
    {
      model: "conversion-intent",
      system: "network",
      service: intentService,
      intervals: 1,
      intervalMs: horizonsMs.at(-1) ?? 0,
      spine: { entity: "customer", activeWithinDays: 30 },
      seed: 1,
      asOf,
      dataThrough: asOf,
      trainingRows: ROWS,
      calibration: { intercept: 0, slope: 1 },
      fitted: {
        kind: "intent",
        model: {
          horizonsMs,
          mainHorizon,
          system: { kind: "network", network },
          calibration: [],
          quantiles: Array.from({ length: 101 }, (_, index) => index / 100),
        },
      },
    },
    report,
  );
  registerChampion(store, artifact, report, asOf);
}
