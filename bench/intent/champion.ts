import { type Store, seededRandom, systemClock } from "../../src/base/index.ts";
import { intentService } from "../../src/features/index.ts";
import { loadTensorBackend } from "../../src/models/index.ts";
import { trainIntentNetwork, visitTask } from "../../src/models/intent/index.ts";
import { crownIntent } from "../../test/support/intent.ts";

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
  crownIntent(store, folder, network, systemClock.now(), {
    horizonsMs,
    mainHorizon,
    calibration: [],
  });
}
