import { join } from "node:path";
import {
  type Clock,
  type Logger,
  lowerBound,
  type Progress,
  ServiceError,
  type Store,
} from "../base/index.ts";
import { historySummary } from "../collection/index.ts";
import { profilingDeniers } from "../customers/index.ts";
import { openOfflineStore, recordBuiltRows } from "../features/index.ts";
import {
  type Artifact,
  describeBackend,
  describeDamage,
  eachDataset,
  loadServing,
  loadTensorBackend,
  type ModelTask,
  probabilityWithin,
} from "../models/index.ts";
import {
  type Facts,
  type NewPrediction,
  publishRun,
  replaceProductNames,
} from "./prediction-store.ts";
import { BASE_FACT, EFFECT_FACTS } from "./reasons.ts";
import { type ScoredPiece, scorePieces } from "./scoring-pool.ts";

export interface ScoringContext {
  readonly store: Store;
  readonly modelsFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
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
    daysSinceLastOrder: "customer_recency_days",
    meanOrderGapDays: "customer_gap_mean_days",
    productMeanGapDays: "product_gap_mean_days",
    productRepeatShare: "product_repeat_share",
  },
  "conversion-intent": {
    orderDays: "customer_frequency",
    daysSinceLastOrder: "customer_recency_days",
    meanGapDays: "customer_gap_mean_days",
    monetary: "customer_monetary",
  },
};

/**
 * Scores everybody who did not deny it with the champion, as of an instant, and publishes the run at once; where the champion's files
 * are damaged, with the latest version before it that is whole. Throws `not-ready` before the first training and `conflict` where the champion answers another question
 * (other features or another horizon) than the one asked.
 */
export async function scoreAll(context: ScoringContext, task: ModelTask): Promise<Scored> {
  const { store } = context;
  const serving = loadServing(store, context.modelsFolder, task.model, (loaded) => {
    refuseMismatch(loaded, task);
  });
  const { artifact } = serving;
  const damage = describeDamage(serving);
  if (damage !== undefined) {
    context.logger.error({ modelVersion: serving.champion }, damage);
  }
  const step = context.progress.begin(`${task.model}: score`);
  const file = await featureRows(context, task, artifact);
  step.update(1, 3);
  const started = performance.now();
  const predictions = await scoreFile(context, task, artifact, file);
  const rowsPerSecond = Math.round(predictions.length / ((performance.now() - started) / 1000));
  step.update(2, 3);
  await publishRun(
    store,
    {
      model: task.model,
      versionId: artifact.id,
      asOf: context.asOf,
      dataThrough: Math.min(context.asOf, historySummary(store).lastOccurredAt ?? context.asOf),
      computedAt: context.clock.now(),
    },
    predictions,
  );
  step.end(`${predictions.length} predictions, ${rowsPerSecond} rows/s`);
  return { modelVersion: artifact.id, rows: predictions.length, rowsPerSecond };
}

/** Rows in a piece. */
const PIECE_ROWS = 16_384;

async function scoreFile(
  context: ScoringContext,
  task: ModelTask,
  artifact: Artifact,
  file: string,
): Promise<NewPrediction[]> {
  const backend = await loadTensorBackend();
  context.logger.info(
    { backend: describeBackend(backend), notes: backend.notes },
    "tensor backend",
  );
  const duckdb = await context.store.openDuckDb({ memoryLimitMiB: 300 });
  const predictions: (Omit<NewPrediction, "percentile"> & { percentile: number })[] = [];
  const soon: Float64Array[] = [];
  try {
    await duckdb.run("CREATE TEMP TABLE denier (customer_id DOUBLE)");
    await duckdb.append(
      "denier",
      [...profilingDeniers(context.store)].map((id) => [id]),
    );
    const isAllowed = "customer_id NOT IN (SELECT customer_id FROM denier)";
    const { features } = artifact.service;
    const pieces = eachDataset(duckdb, file, features, PIECE_ROWS, isAllowed);
    const { modelsFolder } = context;
    const { id: versionId, files = [] } = artifact;
    const thread = { modelsFolder, model: task.model, versionId, files };
    for await (const piece of scorePieces(backend, thread, artifact, pieces)) {
      const { intervals } = artifact;
      const reach = Math.min(SOON_WEEKS, intervals);
      soon.push(probabilityWithin(piece.scored.distribution, intervals, 0, reach));
      predictions.push(...toPredictions(piece, intervals, FACTS[task.model]));
    }
  } finally {
    duckdb.close();
  }
  const percentiles = percentilesOf(joined(soon));
  predictions.forEach((prediction, row) => {
    prediction.percentile = percentiles[row] ?? 0;
  });
  return predictions;
}

const SOON_WEEKS = 4;

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

async function featureRows(
  context: ScoringContext,
  task: ModelTask,
  artifact: Artifact,
): Promise<string> {
  const file = join(context.store.path("temporary"), `score-${task.model}.parquet`);
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
    await replaceProductNames(context.store, await offline.productNames());
  } finally {
    offline.close();
  }
  return file;
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
  { rows: dataset, scored }: ScoredPiece,
  intervals: number,
  factNames: Readonly<Record<string, string>>,
): NewPrediction[] {
  const { distribution, base, effects } = scored;
  const width = dataset.featureNames.length;
  const columns = Object.entries(factNames).map(
    ([fact, feature]) => [fact, dataset.featureNames.indexOf(feature)] as const,
  );
  return Array.from({ length: dataset.rows }, (_, row) => {
    const facts: Record<string, number | null> = {};
    for (const [fact, column] of columns) {
      const value = dataset.features[row * width + column] ?? Number.NaN;
      const digits = fact.endsWith("Share") ? 1000 : 10;
      facts[fact] = Number.isNaN(value) ? null : Math.round(value * digits) / digits;
    }
    if (base !== null) {
      facts[BASE_FACT] = rounded(base);
      EFFECT_FACTS.forEach((name, group) => {
        facts[name] = rounded(effects[row * EFFECT_FACTS.length + group] ?? 0);
      });
    }
    return {
      customerId: dataset.customers[row] ?? 0,
      product: dataset.products[row] ?? "",
      probabilities: Array.from(
        distribution.subarray(row * (intervals + 1), (row + 1) * (intervals + 1)),
      ),
      percentile: 0,
      facts: facts satisfies Facts,
    };
  });
}

function rounded(value: number): number {
  return Math.round(1e4 * value) / 1e4;
}

/** The share of values at or below each value. */
function percentilesOf(values: Float64Array): Float64Array {
  const sorted = Float64Array.from(values).sort();
  return values.map((value) => {
    const atOrBelow = lowerBound(sorted, value, true);
    return Math.round((1e4 * atOrBelow) / sorted.length) / 1e4;
  });
}
