import { join } from "node:path";
import { type Clock, lowerBound, type Progress, ServiceError, type Store } from "../base/index.ts";
import { historySummary } from "../collection/index.ts";
import { openOfflineStore, recordBuiltRows } from "../features/index.ts";
import {
  type Artifact,
  calibrate,
  type Dataset,
  distributionOf,
  findChampion,
  hazardsOf,
  loadArtifact,
  loadTensorBackend,
  type ModelTask,
  probabilityWithin,
  readDataset,
} from "../models/index.ts";
import {
  type Facts,
  type NewPrediction,
  publishRun,
  replaceProductNames,
} from "./prediction-store.ts";

export interface ScoringContext {
  readonly store: Store;
  readonly modelsFolder: string;
  readonly clock: Clock;
  readonly progress: Progress;
  readonly asOf: number;
}

export interface Scored {
  readonly modelVersion: string;
  readonly rows: number;
  readonly rowsPerSecond: number;
}

/** The features shown beside a prediction, in the words of the answer. */
const FACTS: Readonly<Record<ModelTask["model"], Readonly<Record<string, string>>>> = {
  "repurchase-week": {
    timesBought: "pair_frequency",
    daysSinceLastBought: "pair_recency_days",
    meanGapDays: "pair_gap_mean_days",
    gapSpreadDays: "pair_gap_std_days",
  },
  "conversion-intent": {
    orderDays: "customer_frequency",
    daysSinceLastOrder: "customer_recency_days",
    meanGapDays: "customer_gap_mean_days",
    monetary: "customer_monetary",
  },
};

/**
 * Scores everybody with the champion, as of an instant, and publishes the run at once. Throws
 * `not-ready` before the first training and `conflict` where the champion answers another question
 * (other features or another horizon) than the one asked.
 */
export async function scoreAll(context: ScoringContext, task: ModelTask): Promise<Scored> {
  const { store } = context;
  const champion = findChampion(store, task.model);
  if (champion === undefined) {
    throw new ServiceError(
      "not-ready",
      `${task.model} has no champion yet: run "herkoop train ${task.model}"`,
    );
  }
  const artifact = loadArtifact(context.modelsFolder, task.model, champion.id);
  refuseMismatch(artifact, task);
  const step = context.progress.begin(`${task.model}: score`);
  const dataset = await featureRows(context, task, artifact);
  step.update(1, 3);
  const started = performance.now();
  const backend = await loadTensorBackend();
  const hazards = calibrate(
    hazardsOf(backend, artifact.fitted, dataset),
    artifact.intervals,
    artifact.calibration,
  );
  const distribution = distributionOf(hazards, artifact.intervals);
  const rowsPerSecond = Math.round(dataset.rows / ((performance.now() - started) / 1000));
  step.update(2, 3);
  publishRun(
    store,
    {
      model: task.model,
      versionId: artifact.id,
      asOf: context.asOf,
      dataThrough: Math.min(context.asOf, historySummary(store).lastOccurredAt ?? context.asOf),
      computedAt: context.clock.now(),
    },
    toPredictions(dataset, distribution, artifact.intervals, FACTS[task.model]),
  );
  step.end(`${dataset.rows} predictions, ${rowsPerSecond} rows/s`);
  return { modelVersion: artifact.id, rows: dataset.rows, rowsPerSecond };
}

async function featureRows(
  context: ScoringContext,
  task: ModelTask,
  artifact: Artifact,
): Promise<Dataset> {
  const file = join(context.store.path("temporary"), `score-${task.model}-${process.pid}.parquet`);
  const offline = await openOfflineStore(context.store);
  try {
    // The pool is the one the version was trained for, whatever today's default is.
    const request = {
      service: task.service,
      cutoffs: [context.asOf],
      spine: artifact.spine as ModelTask["spine"],
      file,
    };
    await offline.build(request);
    await recordBuiltRows(context, "scoring", { ...request, facts: offline.facts });
    replaceProductNames(context.store, await offline.productNames());
  } finally {
    offline.close();
  }
  const duckdb = await context.store.openDuckDb({ memoryLimitMiB: 300 });
  try {
    return await readDataset(duckdb, file, artifact.service.features);
  } finally {
    duckdb.close();
  }
}

function refuseMismatch(artifact: Artifact, task: ModelTask): void {
  const { name, version } = artifact.service;
  if (name !== task.service.name || version !== task.service.version) {
    throw new ServiceError(
      "conflict",
      `${artifact.id} reads feature service ${name} v${version}, this release has ${task.service.name} v${task.service.version}: train again`,
    );
  }
}

function toPredictions(
  dataset: Dataset,
  distribution: Float64Array,
  intervals: number,
  factNames: Readonly<Record<string, string>>,
): NewPrediction[] {
  const width = dataset.featureNames.length;
  const columns = Object.entries(factNames).map(
    ([fact, feature]) => [fact, dataset.featureNames.indexOf(feature)] as const,
  );
  const reach = Math.min(4, intervals);
  const soon = probabilityWithin(distribution, intervals, 0, reach);
  const percentiles = percentilesOf(soon);
  return Array.from({ length: dataset.rows }, (_, row) => {
    const facts: Record<string, number | null> = {};
    for (const [fact, column] of columns) {
      const value = dataset.features[row * width + column] ?? Number.NaN;
      facts[fact] = Number.isNaN(value) ? null : Math.round(value * 10) / 10;
    }
    return {
      customerId: dataset.customers[row] ?? 0,
      product: dataset.products[row] ?? "",
      probabilities: Array.from(
        distribution.subarray(row * (intervals + 1), (row + 1) * (intervals + 1)),
      ),
      percentile: percentiles[row] ?? 0,
      facts: facts satisfies Facts,
    };
  });
}

/** The share of values at or below each value. */
function percentilesOf(values: Float64Array): Float64Array {
  const sorted = Float64Array.from(values).sort();
  return values.map((value) => {
    const atOrBelow = lowerBound(sorted, value, true);
    return Math.round((1e4 * atOrBelow) / sorted.length) / 1e4;
  });
}
