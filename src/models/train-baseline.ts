import { join } from "node:path";
import { DAY_MS, toIso } from "../base/index.ts";
import { historySummary } from "../collection/index.ts";
import { openOfflineStore } from "../features/index.ts";
import { saveArtifact } from "./artifact.ts";
import { eachAtRisk } from "./at-risk.ts";
import { NO_CALIBRATION } from "./calibrate.ts";
import type { Dataset } from "./dataset.ts";
import { emptyDataset, readDataset } from "./dataset-store.ts";
import { planStage } from "./plan.ts";
import { hazardsOf } from "./predictor.ts";
import { registerChampion } from "./registry-store.ts";
import type { Report } from "./report.ts";
import { type System, systemsOf } from "./systems.ts";
import { labelOf, type ModelTask } from "./task.ts";
import { describeBackend, loadTensorBackend, type TensorBackend } from "./tensor-backend.ts";
import { missingFor, purchasesIn } from "./too-little.ts";
import type { Trained, TrainingContext } from "./training-context.ts";

/**
 * Makes a baseline the champion where there is too little data (`missing`, for the card) to teach a network or
 * to test anything: the one that says best what followed the latest cutoff, if enough followed to tell, else
 * Poisson-gamma, which begins from a purchase in two months where nothing is known. Never throws for want of data.
 */
export async function trainBaseline(
  context: TrainingContext,
  task: ModelTask,
  missing: readonly string[],
): Promise<Trained> {
  const { asOf, store } = context;
  const step = context.progress.begin(`${task.model}: baseline`);
  const backend = await loadTensorBackend();
  const { rows, early, cutoffs } = await readRows(context, task);
  const champion = await chooseBaseline(backend, task, { early, rows, latest: cutoffs.at(-1) });
  const started = performance.now();
  const fitted = await champion.fit(backend, rows, task, () => undefined);
  const seconds = (performance.now() - started) / 1000;
  const all = [...new Set([...missing, ...missingFor(task, "known now", rows)])];
  const report: Report = {
    model: task.model,
    intervals: task.intervals,
    intervalDays: task.intervalMs / DAY_MS,
    seed: task.settings.seed,
    backend: describeBackend(backend),
    trainingCutoffs: cutoffs.map(toIso),
    calibrationCutoffs: [],
    testCutoffs: [],
    judgedAt: toIso(asOf),
    rows: { training: rows.rows, calibration: 0, test: 0 },
    testEventShare: Number.NaN,
    systems: {
      [champion.name]: { metrics: {}, perInterval: [], calibration: NO_CALIBRATION, seconds },
    },
    champion: champion.name,
    gate: {
      bestBaseline: champion.name,
      advantage: { mean: Number.NaN, low: Number.NaN, high: Number.NaN },
      isPassed: false,
      missing: all,
    },
    reliability: [],
    pruning: [],
    cost: {
      featureRowsPerSecond: Number.NaN,
      trainingRowsPerSecond: Number.NaN,
      peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    },
  };
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
      trainingRows: rows.rows,
      calibration: NO_CALIBRATION,
      fitted,
    },
    report,
  );
  registerChampion(store, artifact, report, context.clock.now());
  step.end(`${champion.name} serves; too little for a network: ${all.join("; ")}`);
  return { artifact, report };
}

interface Rows {
  /** Rows of all cutoffs, as known now. */
  readonly rows: Dataset;
  /** Those before the latest cutoff, as known then. */
  readonly early: Dataset;
  readonly cutoffs: readonly number[];
}

async function readRows(context: TrainingContext, task: ModelTask): Promise<Rows> {
  const { asOf, store } = context;
  const offline = await openOfflineStore(store);
  const file = join(store.path("temporary"), `baseline-${task.model}.parquet`);
  const { service, spine } = task;
  let cutoffs: number[];
  try {
    const { firstOrderAt } = await offline.describe();
    cutoffs = cutoffsOf(task, asOf, firstOrderAt ?? asOf);
    if (cutoffs.length === 0) {
      const none = emptyDataset(service.features, 0);
      return { rows: none, early: none, cutoffs };
    }
    const labels = [cutoffs.at(-1) ?? asOf, asOf].map((instant) => labelOf(task, instant));
    await offline.build({ service, spine, cutoffs, labels, file });
  } finally {
    offline.close();
  }
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 300 });
  try {
    const { maximumRows } = task;
    const read = (label: number, chosen: readonly number[]): Promise<Dataset> =>
      readDataset(duckdb, file, service.features, { label, cutoffs: chosen, maximumRows });
    return { rows: await read(1, cutoffs), early: await read(0, cutoffs.slice(0, -1)), cutoffs };
  } finally {
    duckdb.close();
  }
}

/** Those of any training; where the history is too short for one, every week that an interval has followed. */
function cutoffsOf(task: ModelTask, asOf: number, firstOrderAt: number): number[] {
  const usual = planStage(task, asOf, firstOrderAt).training;
  if (usual.length > 1) {
    return [...usual];
  }
  return Array.from({ length: task.maximumCutoffs }, (_, index) => asOf - (index + 1) * 7 * DAY_MS)
    .filter((cutoff) => cutoff > firstOrderAt && asOf - cutoff >= task.intervalMs)
    .reverse();
}

const UNTOLD = "poisson-gamma";
/** With fewer purchases to learn from, or to judge by, one baseline is as good as another. */
const MINIMUM_EVENTS = 10;

async function chooseBaseline(
  backend: TensorBackend,
  task: ModelTask,
  { early, rows, latest }: Pick<Rows, "early" | "rows"> & { readonly latest: number | undefined },
): Promise<System> {
  const baselines = systemsOf(task).filter(({ needsNetwork }) => needsNetwork !== true);
  const untold = baselines.find(({ name }) => name === UNTOLD);
  if (untold === undefined) {
    throw new Error(`no system ${UNTOLD}`);
  }
  const followed = rows.events.filter(
    (event, row) => event >= 0 && rows.cutoffs[row] === latest,
  ).length;
  if (purchasesIn(early) < MINIMUM_EVENTS || followed < MINIMUM_EVENTS) {
    return untold;
  }
  let best = { system: untold, loss: Number.POSITIVE_INFINITY };
  for (const system of baselines) {
    const fitted = await system.fit(backend, early, task, () => undefined);
    const hazards = await hazardsOf(backend, fitted, rows);
    const loss = lossAfter(hazards, rows, task.intervals, latest);
    if (loss < best.loss) {
      best = { system, loss };
    }
  }
  return best.system;
}

/** The censored negative log likelihood of the rows of one cutoff, in nats. */
function lossAfter(
  hazards: Float64Array,
  rows: Dataset,
  intervals: number,
  cutoff: number | undefined,
): number {
  let loss = 0;
  eachAtRisk(rows, intervals, (row, interval, happened, weight) => {
    if (rows.cutoffs[row] === cutoff) {
      const hazard = hazards[row * intervals + interval] ?? 0;
      loss -= weight * Math.log(Math.max(1e-12, happened ? hazard : 1 - hazard));
    }
  });
  return loss;
}
