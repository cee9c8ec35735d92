import { renameSync } from "node:fs";
import { dirname } from "node:path";
import {
  type Clock,
  DAY_MS,
  type DuckDb,
  type Logger,
  literal,
  makeOutputFolder,
  type Progress,
  ServiceError,
  type Store,
  shareOutput,
} from "../../base/index.ts";
import { historySummary } from "../../collection/index.ts";
import { identitySql } from "../../customers/index.ts";
import type { FeatureService } from "../../features/index.ts";
import { type Artifact, saveArtifact } from "../artifact.ts";
import { NO_CALIBRATION } from "../calibrate.ts";
import { registerChampion } from "../registry-store.ts";
import type { Report } from "../report.ts";
import { describeBackend, loadTensorBackend, type TensorBackend } from "../tensor-backend.ts";
import {
  calibrateSystem,
  evaluateIntent,
  type IntentEvaluation,
  type IntentPeriods,
} from "./intent-evaluation.ts";
import { intentReport } from "./intent-report.ts";
import type { VisitTask } from "./intent-task.ts";
import { type IntentRows, readIntentRows, rowsBetween } from "./rows.ts";

/** What learning from visits works with. */
export interface IntentContext {
  readonly store: Store;
  readonly modelsFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: Progress;
  /** The instant that counts as now, epoch ms; nothing known later is seen. */
  readonly asOf: number;
}

export interface EvaluatedIntent {
  readonly rows: IntentRows;
  readonly backend: TensorBackend;
  readonly evaluation: IntentEvaluation;
  readonly report: Report;
}

/**
 * Trains conversion intent on instants of visits: judges the network and its baselines on the last days whose horizons
 * are over, fits the winner on everything known as of now, calibrated on its latest days, and makes it the champion.
 * Undefined where too few visits or orders are known to learn from.
 */
export async function trainIntent(
  context: IntentContext,
  service: FeatureService,
  task: VisitTask,
): Promise<{ readonly artifact: Artifact; readonly report: Report } | undefined> {
  const { asOf } = context;
  const last = task.horizonsMs.at(-1) ?? 0;
  const periods = {
    testFrom: asOf - last - task.testMs,
    testUntil: asOf - last,
    judgedAt: asOf,
  };
  const evaluated = await evaluateVisits(context, service, task, periods, asOf);
  if (evaluated === undefined) {
    return undefined;
  }
  const { rows, backend, evaluation, report } = evaluated;
  const step = context.progress.begin("conversion-intent: final fit");
  const champion = evaluation.tested.get(evaluation.champion);
  if (champion === undefined) {
    throw new Error(`no system ${evaluation.champion}`);
  }
  const training = rowsBetween(rows, task.horizonsMs, [0, asOf], asOf);
  const system = await champion.candidate.fit(backend, training, task, (share) => {
    step.update(share, 1);
  });
  const model = calibrateSystem(system, training, task, asOf);
  const artifact = saveArtifact(
    context.modelsFolder,
    {
      model: "conversion-intent",
      system: champion.candidate.name,
      service: { name: service.name, version: service.version, features: service.features },
      intervals: 1,
      intervalMs: last,
      spine: { entity: "customer", activeWithinDays: task.poolDays },
      seed: task.settings.seed,
      asOf,
      dataThrough: Math.min(asOf, historySummary(context.store).lastOccurredAt ?? asOf),
      trainingRows: training.dataset.rows,
      calibration: NO_CALIBRATION,
      fitted: { kind: "intent", model },
    },
    report,
  );
  registerChampion(context.store, artifact, report, context.clock.now());
  step.end(`${artifact.id}, ${training.dataset.rows} rows`);
  return { artifact, report };
}

/** Below this many orders in visits there is nothing to learn, or to judge by. */
const ORDERS_MIN = 30;

/** Draws rows through `until` and judges every candidate on the periods; undefined where too few are known. */
async function evaluateVisits(
  context: IntentContext,
  service: FeatureService,
  task: VisitTask,
  periods: IntentPeriods,
  until: number,
): Promise<EvaluatedIntent | undefined> {
  const { store, progress } = context;
  const reading = progress.begin("conversion-intent: instants of visits");
  const started = performance.now();
  const rows = await readIntentRows(
    store,
    service,
    task.horizonsMs,
    {
      from: periods.testFrom - HISTORY_DAYS * DAY_MS,
      until,
      knownBefore: until > periods.judgedAt ? until : periods.judgedAt,
      perVisit: task.perVisit,
      poolDays: task.poolDays,
      seed: task.settings.seed,
    },
    task.rowsMax,
    reading,
  );
  const rowsPerSecond = rows.dataset.rows / ((performance.now() - started) / 1000);
  reading.end(`${rows.dataset.rows} rows, ${Math.round(rowsPerSecond)} rows/s`);
  const ordersOf = (part: IntentRows): number =>
    part.dataset.events.filter((event, row) => event >= 0 && part.isVisiting[row] === 1).length;
  const { testFrom, testUntil, judgedAt } = periods;
  const before = rowsBetween(rows, task.horizonsMs, [0, testFrom], testFrom);
  const after = rowsBetween(rows, task.horizonsMs, [testFrom, testUntil], judgedAt);
  if (Math.min(ordersOf(before), ordersOf(after)) < ORDERS_MIN) {
    context.logger.info(
      { before: ordersOf(before), after: ordersOf(after), needed: ORDERS_MIN },
      "too few orders in visits to learn from them",
    );
    return undefined;
  }
  const backend = await loadTensorBackend();
  context.logger.info(
    { backend: describeBackend(backend), notes: backend.notes },
    "tensor backend",
  );
  const step = progress.begin("conversion-intent: back-test");
  const evaluation = await evaluateIntent(backend, rows, task, periods, (share) => {
    step.update(share, 1);
  });
  const report = intentReport(
    store,
    task,
    periods,
    evaluation,
    describeBackend(backend),
    rowsPerSecond,
  );
  step.end(
    `${report.champion} serves; ${report.rows.training} rows to learn from, ${report.rows.test} to be judged on`,
  );
  return { rows, backend, evaluation, report };
}

/** Visits longer ago than this are not learned from: what people did then says little of now. */
const HISTORY_DAYS = 365;

export interface IntentBacktestRequest {
  /** The instant to stand at, epoch ms. */
  readonly cutoff: number;
  /** Where the predictions go: `.parquet` or `.csv`. */
  readonly file: string;
  readonly system?: string;
}

/**
 * Judges every candidate on the days from the cutoff on, trained on what was known before it, and writes one row per
 * instant: `customer`, `cutoff`, `visiting`, `p_order` and `label` of the main horizon, and `p_<n>h` of each horizon.
 * Undefined where too few visits or orders are known.
 */
export async function backtestIntent(
  context: IntentContext,
  service: FeatureService,
  task: VisitTask,
  request: IntentBacktestRequest,
): Promise<{ readonly report: Report; readonly file: string; readonly rows: number } | undefined> {
  const last = task.horizonsMs.at(-1) ?? 0;
  const latest = context.asOf - last;
  if (request.cutoff >= latest) {
    return undefined;
  }
  const periods = {
    testFrom: request.cutoff,
    testUntil: Math.min(request.cutoff + task.testMs, latest),
    judgedAt: context.asOf,
  };
  const evaluated = await evaluateVisits(context, service, task, periods, periods.testUntil);
  if (evaluated === undefined) {
    return undefined;
  }
  const { evaluation, report } = evaluated;
  const duckdb = await context.store.openDuckDb({ memoryLimitMiB: 300 });
  try {
    await writePredictions(duckdb, context.store, task, evaluation, request);
  } finally {
    duckdb.close();
  }
  return { report, file: request.file, rows: evaluation.test.dataset.rows };
}

async function writePredictions(
  duckdb: DuckDb,
  store: Store,
  task: VisitTask,
  { test, tested }: IntentEvaluation,
  { file, system = "network" }: IntentBacktestRequest,
): Promise<void> {
  const chosen = tested.get(system);
  if (chosen === undefined) {
    throw new ServiceError(
      "invalid-input",
      `system: there is no system "${system}"; there are ${[...tested.keys()].join(", ")}`,
      { field: "system" },
    );
  }
  const { horizonsMs, mainHorizon } = task;
  const names = horizonsMs.map((horizon) => `p_${Math.round(horizon / HOUR_MS)}h`);
  await duckdb.run(
    `CREATE TEMP TABLE written (customer_id DOUBLE, cutoff_ms DOUBLE, visiting DOUBLE, ${names.map((name) => `${name} DOUBLE`).join(", ")}, label DOUBLE)`,
  );
  const { dataset, isVisiting } = test;
  const rows = function* (): Generator<(number | null)[]> {
    for (let row = 0; row < dataset.rows; row++) {
      const event = dataset.events[row] ?? -1;
      const isSeen = (dataset.observed[row] ?? 0) > mainHorizon;
      const from = row * horizonsMs.length;
      yield [
        dataset.customers[row] ?? null,
        dataset.cutoffs[row] ?? null,
        isVisiting[row] ?? 0,
        ...chosen.probabilities.subarray(from, from + horizonsMs.length),
        isSeen ? Number(event >= 0 && event <= mainHorizon) : null,
      ];
    }
  };
  await duckdb.append("written", rows());
  makeOutputFolder(store.folder, dirname(file));
  const partial = `${file}.partial`;
  await duckdb.run(
    `COPY (
       SELECT i.customer, make_timestamp(CAST(w.cutoff_ms AS BIGINT) * 1000) AS cutoff, w.visiting = 1 AS visiting,
              w.${names[mainHorizon] ?? ""} AS p_order, ${names.map((name) => `w.${name}`).join(", ")}, CAST(w.label AS INTEGER) AS label
       FROM written w JOIN (
         SELECT customer_id, coalesce(min(CASE WHEN type = 'user_id' THEN value END), min(value)) AS customer
         FROM ${identitySql(store)} GROUP BY customer_id) i ON i.customer_id = w.customer_id
       ORDER BY w.cutoff_ms, i.customer
     ) TO ${literal(partial)} (FORMAT ${file.endsWith(".csv") ? "csv, HEADER" : "parquet, COMPRESSION zstd"})`,
  );
  shareOutput(store.folder, partial);
  renameSync(partial, file);
}

const HOUR_MS = 3_600_000;
