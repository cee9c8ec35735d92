import { DAY_MS, type DuckDb, type Progress, toIso } from "../base/index.ts";
import { type Calibration, calibrate, fitCalibration, NO_CALIBRATION } from "./calibrate.ts";
import type { Dataset } from "./dataset.ts";
import { readDataset } from "./dataset-store.ts";
import { distributionOf, probabilityWithin } from "./distribution.ts";
import { bootstrap, lossDifference, type Measurement, measure, rowLosses } from "./evaluate.ts";
import { epochsFor } from "./hazard-network.ts";
import { reliability } from "./metrics.ts";
import type { Plan } from "./plan.ts";
import { type FittedModel, hazardsOf } from "./predictor.ts";
import { pruningCurve } from "./pruning.ts";
import type { Report, SystemReport } from "./report.ts";
import { type System, systemsOf } from "./systems.ts";
import { horizonMs, type ModelTask } from "./task.ts";
import { describeBackend, type TensorBackend } from "./tensor-backend.ts";
import { missingFor, refuseTooFew, TooLittleData } from "./too-little.ts";

/** Where in a rows file the labels stand: as known at each of the plan's instants. */
export const LABEL = { calibration: 0, evaluation: 1, judged: 2 } as const;

const TRAINING = "to learn from";
const TEST = "to be judged on";

/** A system as fitted before the test, with what it said of the test rows. */
export interface TestedSystem {
  readonly system: System;
  readonly report: SystemReport;
  /** Uncalibrated, rows × intervals. */
  readonly hazards: Float64Array;
  /** Calibrated, rows × (intervals + 1). */
  readonly distribution: Float64Array;
}

export interface Evaluation {
  readonly report: Report;
  readonly test: Dataset;
  readonly tested: ReadonlyMap<string, TestedSystem>;
}

export interface EvaluationContext {
  readonly backend: TensorBackend;
  readonly duckdb: DuckDb;
  readonly progress: Progress;
  /** Feature rows of all the plan's cutoffs, labelled as in LABEL. */
  readonly rowsFile: string;
  readonly featureRowsPerSecond: number;
}

/**
 * Fits every system twice: before the calibration period, to be calibrated on it, and before the
 * test, to be judged. Where the data don't reach to the end of the test's horizon there are no figures
 * and the network serves ungated. Throws `TooLittleData` where there are too few rows or purchases to learn
 * from, or none to test.
 */
export async function evaluateTask(
  context: EvaluationContext,
  task: ModelTask,
  plan: Plan,
): Promise<Evaluation> {
  const read = (
    label: number,
    cutoffs: readonly number[],
    maximumRows?: number,
  ): Promise<Dataset> =>
    readDataset(context.duckdb, context.rowsFile, task.service.features, {
      label,
      cutoffs,
      ...(maximumRows === undefined ? {} : { maximumRows }),
    });
  const step = context.progress.begin(`${task.model}: back-test`);
  const systems = systemsOf(task);
  const calibrationRows = await read(LABEL.evaluation, plan.calibrationCutoffs);
  const calibrations = new Map<string, Calibration>();
  const early = await read(LABEL.calibration, plan.calibration.training, task.maximumRows);
  refuseTooFew(task, "to learn from before calibration", early);
  for (const [index, system] of systems.entries()) {
    const model = await system.fit(
      context.backend,
      early,
      task,
      onShare(step.update, index, systems.length * 2),
    );
    const hazards = await hazardsOf(context.backend, model, calibrationRows);
    calibrations.set(system.name, fitCalibration(hazards, calibrationRows, task.intervals));
  }
  const training = await read(LABEL.evaluation, plan.evaluation.training, task.maximumRows);
  const test = await read(LABEL.judged, plan.testCutoffs);
  refuseTooFew(task, TRAINING, training);
  if (test.rows === 0) {
    throw new TooLittleData(`${task.model}: there are no test rows`, missingFor(task, TEST, test));
  }
  const isJudged = test.observed.every((intervals) => intervals >= task.intervals);
  const tested = new Map<string, TestedSystem>();
  for (const [index, system] of systems.entries()) {
    const started = performance.now();
    const share = onShare(step.update, systems.length + index, systems.length * 2);
    const model = await system.fit(context.backend, training, task, share);
    const seconds = (performance.now() - started) / 1000;
    const calibration = calibrations.get(system.name) ?? NO_CALIBRATION;
    tested.set(
      system.name,
      await judge(context.backend, task, test, { system, model, calibration, seconds, isJudged }),
    );
  }
  const report: Report = {
    model: task.model,
    intervals: task.intervals,
    intervalDays: task.intervalMs / DAY_MS,
    seed: task.settings.seed,
    backend: describeBackend(context.backend),
    trainingCutoffs: plan.evaluation.training.map(toIso),
    calibrationCutoffs: plan.calibrationCutoffs.map(toIso),
    testCutoffs: plan.testCutoffs.map(toIso),
    judgedAt: toIso(plan.judgedAt),
    rows: { training: training.rows, calibration: calibrationRows.rows, test: test.rows },
    testEventShare: test.events.filter((event) => event >= 0).length / Math.max(1, test.rows),
    systems: Object.fromEntries([...tested].map(([name, one]) => [name, one.report])),
    ...verdict(task, { training, test }, tested, isJudged),
    cost: {
      featureRowsPerSecond: Math.round(context.featureRowsPerSecond),
      trainingRowsPerSecond: Math.round(
        (training.rows * epochsFor(training.rows, task.settings) * task.settings.members) /
          (tested.get("network")?.report.seconds ?? Number.NaN),
      ),
      peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    },
  };
  const { trainingRowsPerSecond, peakMemoryMiB } = report.cost;
  step.end(
    `${report.champion} serves; ${training.rows} rows to learn from, ${test.rows} to be judged on; ${trainingRowsPerSecond} training rows/s, peak memory ${peakMemoryMiB} MiB`,
  );
  return { report, test, tested };
}

function onShare(
  update: (done: number, total: number) => void,
  index: number,
  total: number,
): (share: number) => void {
  return (share) => {
    update(index + share, total);
  };
}

async function judge(
  backend: TensorBackend,
  task: ModelTask,
  test: Dataset,
  fitted: {
    readonly system: System;
    readonly model: FittedModel;
    readonly calibration: Calibration;
    readonly seconds: number;
    readonly isJudged: boolean;
  },
): Promise<TestedSystem> {
  const hazards = await hazardsOf(backend, fitted.model, test);
  const distribution = distributionOf(
    calibrate(hazards, task.intervals, fitted.calibration),
    task.intervals,
  );
  const measurement: Measurement = fitted.isJudged
    ? measure(task, test, distribution)
    : { metrics: {}, perInterval: [] };
  const report = { ...measurement, calibration: fitted.calibration, seconds: fitted.seconds };
  return { system: fitted.system, report, hazards, distribution };
}

/** Who serves: the network, if its loss is below the best baseline's by more than the interval. */
function verdict(
  task: ModelTask,
  { training, test }: Readonly<Record<"training" | "test", Dataset>>,
  tested: ReadonlyMap<string, TestedSystem>,
  isJudged: boolean,
): Pick<Report, "champion" | "gate" | "reliability" | "pruning"> {
  const network = tested.get("network");
  if (network === undefined || !isJudged) {
    const advantage = { mean: Number.NaN, low: Number.NaN, high: Number.NaN };
    const gate = { bestBaseline: "none", advantage, isPassed: false, missing: [] };
    return { champion: "network", gate, reliability: [], pruning: [] };
  }
  const lossesOf = (one: TestedSystem): Float64Array =>
    rowLosses(test, one.distribution, task.intervals);
  const meanLoss = (one: TestedSystem): number =>
    lossesOf(one).reduce((sum, loss) => sum + loss, 0);
  const baselines = [...tested.values()].filter((one) => one !== network);
  const best = baselines.reduce((a, b) => (meanLoss(b) < meanLoss(a) ? b : a));
  const [baselineLosses, networkLosses] = [lossesOf(best), lossesOf(network)];
  const advantage = bootstrap(test.customers, task.settings.seed, (weights) =>
    lossDifference(baselineLosses, networkLosses, weights),
  );
  const missing = [...missingFor(task, TRAINING, training), ...missingFor(task, TEST, test)];
  const isPassed = advantage.low > 0 && missing.length === 0;
  const champion = isPassed ? network : best;
  const reach = task.model === "conversion-intent" ? 1 : Math.min(4, task.intervals);
  const soon = probabilityWithin(champion.distribution, task.intervals, 0, reach);
  const outcomes = Uint8Array.from(test.events, (event) => (event >= 0 && event < reach ? 1 : 0));
  return {
    champion: champion.system.name,
    gate: { bestBaseline: best.system.name, advantage, isPassed, missing },
    reliability: reliability(soon, outcomes),
    pruning:
      task.model === "conversion-intent"
        ? pruningCurve(soon, outcomes, test.customers, task.settings.seed)
        : [],
  };
}

/** The last test cutoff whose horizon the data reach, on the grid of cutoffs that ends at `asOf`. */
export function lastJudgeableCutoff(task: ModelTask, asOf: number): number {
  const step = task.stepDays * DAY_MS;
  return asOf - Math.ceil(horizonMs(task) / step) * step;
}
