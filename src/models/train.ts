import { join } from "node:path";
import type { DuckDb } from "../base/index.ts";
import { historySummary } from "../collection/index.ts";
import { type OfflineStore, openOfflineStore, recordBuiltRows } from "../features/index.ts";
import { saveArtifact } from "./artifact.ts";
import { fitCalibration } from "./calibrate.ts";
import { readDataset } from "./dataset-store.ts";
import { type Evaluation, evaluateTask, LABEL, lastJudgeableCutoff } from "./evaluation.ts";
import { trainIntent } from "./intent/train-intent.ts";
import { type Plan, planEvaluation, planStage } from "./plan.ts";
import { registerChampion } from "./registry-store.ts";
import { systemsOf } from "./systems.ts";
import { labelOf, type ModelTask } from "./task.ts";
import { describeBackend, loadTensorBackend, type TensorBackend } from "./tensor-backend.ts";
import { TooLittleData } from "./too-little.ts";
import { trainBaseline } from "./train-baseline.ts";
import type { Trained, TrainingContext } from "./training-context.ts";

/**
 * Trains a model: back-tests the network and its baselines at the last cutoff whose horizon the data
 * reach, then fits the winner on everything known as of now, calibrated on that back-test's period,
 * saves the artifact and makes it the champion. Where there is too little data to teach a network, a baseline
 * becomes the champion and the card says what is missing.
 */
export async function trainModel(context: TrainingContext, task: ModelTask): Promise<Trained> {
  const fromVisits =
    task.visits === undefined ? undefined : await trainIntent(context, task.service, task.visits);
  if (fromVisits !== undefined) {
    return fromVisits;
  }
  try {
    return await trainTested(context, task);
  } catch (error) {
    if (error instanceof TooLittleData) {
      return trainBaseline(context, task, error.missing);
    }
    throw error;
  }
}

async function trainTested(context: TrainingContext, task: ModelTask): Promise<Trained> {
  const { store, asOf } = context;
  const prepared = await prepareRows(context, task, {
    lastTest: lastJudgeableCutoff(task, asOf),
    judgedAt: asOf,
    alsoTrainAt: asOf,
  });
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 600 });
  try {
    const { evaluation, backend, production, rowsFile } = await evaluatePrepared(
      context,
      task,
      duckdb,
      prepared,
    );
    const step = context.progress.begin(`${task.model}: final fit`);
    const champion = systemsOf(task).find((system) => system.name === evaluation.report.champion);
    const tested = evaluation.tested.get(evaluation.report.champion);
    if (champion === undefined || tested === undefined) {
      throw new Error(`no system ${evaluation.report.champion}`);
    }
    const training = await readDataset(duckdb, rowsFile, task.service.features, {
      label: LABEL.judged,
      cutoffs: production.training,
      maximumRows: task.maximumRows,
    });
    const fitted = await champion.fit(backend, training, task, (share) => {
      step.update(share, 1);
    });
    const artifact = saveArtifact(
      context.modelsFolder,
      {
        model: task.model,
        system: champion.name,
        service: {
          name: task.service.name,
          version: task.service.version,
          features: task.service.features,
        },
        intervals: task.intervals,
        intervalMs: task.intervalMs,
        spine: task.spine,
        seed: task.settings.seed,
        asOf,
        dataThrough: Math.min(asOf, historySummary(store).lastOccurredAt ?? asOf),
        trainingRows: training.rows,
        calibration: fitCalibration(tested.hazards, evaluation.test, task.intervals),
        fitted,
      },
      evaluation.report,
    );
    registerChampion(store, artifact, evaluation.report, context.clock.now());
    step.end(`${artifact.id}, ${training.rows} rows`);
    return { artifact, report: evaluation.report };
  } finally {
    duckdb.close();
  }
}

export interface PreparedRows {
  readonly plan: Plan;
  readonly production: { readonly training: readonly number[] };
  readonly rowsFile: string;
  readonly featureRowsPerSecond: number;
}

/** Builds the feature rows of every cutoff that an evaluation (and a final fit) reads. */
export async function prepareRows(
  context: TrainingContext,
  task: ModelTask,
  when: { readonly lastTest: number; readonly judgedAt: number; readonly alsoTrainAt?: number },
): Promise<PreparedRows> {
  const offline = await openOfflineStore(context.store);
  try {
    return await buildRows(context, task, offline, when);
  } finally {
    offline.close();
  }
}

async function buildRows(
  context: TrainingContext,
  task: ModelTask,
  offline: OfflineStore,
  when: { readonly lastTest: number; readonly judgedAt: number; readonly alsoTrainAt?: number },
): Promise<PreparedRows> {
  const { firstOrderAt } = await offline.describe();
  const since = firstOrderAt ?? when.judgedAt;
  const plan = planEvaluation(task, when.lastTest, when.judgedAt, since);
  const production =
    when.alsoTrainAt === undefined ? { training: [] } : planStage(task, when.alsoTrainAt, since);
  const cutoffs = [
    ...new Set([
      ...plan.calibration.training,
      ...plan.calibrationCutoffs,
      ...plan.evaluation.training,
      ...plan.testCutoffs,
      ...production.training,
    ]),
  ].sort((a, b) => a - b);
  const rowsFile = join(context.store.path("temporary"), `${task.model}.parquet`);
  const step = context.progress.begin(`${task.model}: features`);
  const started = performance.now();
  const rows = await offline.build(
    {
      service: task.service,
      cutoffs,
      spine: task.spine,
      labels: [plan.calibration.knownBefore, plan.evaluation.knownBefore, plan.judgedAt].map(
        (knownBefore) => labelOf(task, knownBefore),
      ),
      file: rowsFile,
    },
    step.update,
  );
  const featureRowsPerSecond = rows / ((performance.now() - started) / 1000);
  step.end(
    `${rows} rows of ${task.service.features.length} features at ${cutoffs.length} cutoffs, ${Math.round(featureRowsPerSecond)} rows/s`,
  );
  if (when.alsoTrainAt !== undefined) {
    const { service, spine } = task;
    const built = { service, spine, cutoffs, file: rowsFile, facts: offline.facts };
    await recordBuiltRows(context, "training", built);
  }
  return { plan, production, rowsFile, featureRowsPerSecond };
}

/** Loads the tensor backend and evaluates prepared rows. */
export async function evaluatePrepared(
  context: TrainingContext,
  task: ModelTask,
  duckdb: DuckDb,
  prepared: PreparedRows,
): Promise<PreparedRows & { readonly evaluation: Evaluation; readonly backend: TensorBackend }> {
  const backend = await loadTensorBackend();
  context.logger.info(
    { backend: describeBackend(backend), notes: backend.notes },
    "tensor backend",
  );
  const evaluation = await evaluateTask(
    {
      backend,
      duckdb,
      progress: context.progress,
      rowsFile: prepared.rowsFile,
      featureRowsPerSecond: prepared.featureRowsPerSecond,
    },
    task,
    prepared.plan,
  );
  return { ...prepared, evaluation, backend };
}
