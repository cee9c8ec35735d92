import { bootstrap, type Interval } from "../evaluate.ts";
import type { TensorBackend } from "../tensor-backend.ts";
import { heldOutHazards, probabilitiesOfRows } from "./batch.ts";
import { intentMetrics, outcomesAt } from "./intent-figures.ts";
import { type IntentModel, type IntentSystem, logOdds } from "./intent-model.ts";
import { INTENT_CANDIDATES, type IntentCandidate } from "./intent-systems.ts";
import type { VisitTask } from "./intent-task.ts";
import { type IntentRows, rowsBetween } from "./rows.ts";
import { fitShift, type Shift } from "./span-calibration.ts";

/** A candidate as fitted before the test, and what it said of the test's rows. */
export interface TestedCandidate {
  readonly candidate: IntentCandidate;
  readonly model: IntentModel;
  readonly metrics: Readonly<Record<string, number>>;
  /** Rows × horizons. */
  readonly probabilities: Float64Array;
  readonly seconds: number;
}

export interface IntentEvaluation {
  readonly test: IntentRows;
  readonly trainingRows: number;
  /** The latest of these, on which systems were calibrated. */
  readonly calibrationRows: number;
  readonly tested: ReadonlyMap<string, TestedCandidate>;
  readonly champion: string;
  readonly bestBaseline: string;
  /** Log loss of the best baseline less the network's, of visits at the main horizon. */
  readonly advantage: Interval;
  readonly isPassed: boolean;
}

/** Epoch ms. */
export interface IntentPeriods {
  readonly testFrom: number;
  readonly testUntil: number;
  /** What was known before it judges. */
  readonly judgedAt: number;
}

/**
 * Fits every candidate on what was known before the test, calibrates it on the latest of that, and judges it.
 * Outcomes that were not known when the test began are censored in training.
 */
export async function evaluateIntent(
  backend: TensorBackend,
  rows: IntentRows,
  task: VisitTask,
  { testFrom, testUntil, judgedAt }: IntentPeriods,
  onShare: (share: number) => void,
  candidates = INTENT_CANDIDATES,
): Promise<IntentEvaluation> {
  const { horizonsMs } = task;
  const training = rowsBetween(rows, horizonsMs, [0, testFrom], testFrom);
  const test = rowsBetween(rows, horizonsMs, [testFrom, testUntil], judgedAt);
  const tested = new Map<string, TestedCandidate>();
  for (const [index, candidate] of candidates.entries()) {
    const started = performance.now();
    const system = await candidate.fit(backend, training, task, (share) => {
      onShare((index + share) / candidates.length);
    });
    const seconds = (performance.now() - started) / 1000;
    const model = calibrateSystem(system, training, task, testFrom);
    const probabilities = probabilitiesOfRows(model, test.dataset);
    const metrics = intentMetrics(task, test, probabilities);
    tested.set(candidate.name, { candidate, model, metrics, probabilities, seconds });
  }
  return {
    test,
    trainingRows: training.dataset.rows,
    calibrationRows: training.dataset.cutoffs.filter(
      (cutoff) => cutoff >= testFrom - task.calibrationMs,
    ).length,
    tested,
    ...verdictOf(task, test, tested),
  };
}

/**
 * A system with its calibration: each span's hazard is shifted to what happened in the last days before an instant, the
 * latest first (a row's weight halves with the task's half-life), as forecast by members that did not learn from the
 * row's customer; quantiles are taken of the visits of these days.
 */
export function calibrateSystem(
  system: IntentSystem,
  training: IntentRows,
  task: VisitTask,
  until: number,
): IntentModel {
  const { horizonsMs, mainHorizon, halfLifeMs, calibrationMs } = task;
  const latest = [until - calibrationMs, until] as const;
  const rows = rowsBetween(training, horizonsMs, latest, until);
  const hazards = heldOutHazards(system, rows.dataset);
  const calibration = horizonsMs.map((_, span): Shift => {
    const atRisk = Array.from({ length: rows.dataset.rows }, (_unused, row) => row).filter(
      (row) => {
        const event = rows.dataset.events[row] ?? -1;
        return (rows.dataset.observed[row] ?? 0) > span && (event === -1 || event >= span);
      },
    );
    return fitShift({
      logOdds: Float64Array.from(atRisk, (row) =>
        logOdds(hazards[row * horizonsMs.length + span] ?? 0),
      ),
      happened: Uint8Array.from(atRisk, (row) => (rows.dataset.events[row] === span ? 1 : 0)),
      weights: Float64Array.from(
        atRisk,
        (row) =>
          (rows.weights[row] ?? 1) *
          0.5 ** ((until - (rows.dataset.cutoffs[row] ?? until)) / halfLifeMs),
      ),
    });
  });
  const model = { horizonsMs, mainHorizon, system, calibration, quantiles: [] };
  const probabilities = probabilitiesOfRows(model, rows.dataset);
  const sorted = Float64Array.from(rows.isVisiting.keys())
    .filter((row) => rows.isVisiting[row] === 1)
    .map((row) => probabilities[row * horizonsMs.length + mainHorizon] ?? 0)
    .sort();
  return { ...model, quantiles: sorted.length === 0 ? [] : quantilesOf(sorted) };
}

function quantilesOf(sorted: Float64Array): number[] {
  return Array.from(
    { length: 101 },
    (_, index) => sorted[Math.round((index / 100) * (sorted.length - 1))] ?? 0,
  );
}

/** A handful of customers or orders proves nothing, however narrow its interval looks. */
const JUDGED_MIN = 30;

function verdictOf(
  task: VisitTask,
  { dataset, isVisiting }: IntentRows,
  tested: ReadonlyMap<string, TestedCandidate>,
): Pick<IntentEvaluation, "champion" | "bestBaseline" | "advantage" | "isPassed"> {
  const network = tested.get("network");
  const baselines = [...tested.values()].filter((one) => one !== network);
  if (network === undefined || baselines.length === 0) {
    throw new Error("a gate needs the network and a baseline");
  }
  const lossOf = (one: TestedCandidate): number => one.metrics["log_loss"] ?? Number.NaN;
  const best = baselines.reduce((a, b) => (lossOf(b) < lossOf(a) ? b : a));
  const at = (one: TestedCandidate): ReturnType<typeof outcomesAt> =>
    outcomesAt(
      dataset,
      one.probabilities,
      task.horizonsMs.length,
      task.mainHorizon,
      (row) => isVisiting[row] === 1,
    );
  const [ours, theirs] = [at(network), at(best)];
  const customers = Int32Array.from(ours.rows, (row) => dataset.customers[row] ?? 0);
  const [losses, others] = [rowLosses(ours.p, ours.y), rowLosses(theirs.p, theirs.y)];
  const differences = others.map((loss, index) => loss - (losses[index] ?? 0));
  const advantage = bootstrap(customers, task.settings.seed, (weights) => {
    let sum = 0;
    let total = 0;
    differences.forEach((difference, index) => {
      sum += (weights[index] ?? 0) * difference;
      total += weights[index] ?? 0;
    });
    return sum / total;
  });
  const orders = ours.y.reduce((sum, one) => sum + one, 0);
  const isPassed =
    advantage.low > 0 && orders >= JUDGED_MIN && new Set(customers).size >= JUDGED_MIN;
  return {
    champion: isPassed ? "network" : best.candidate.name,
    bestBaseline: best.candidate.name,
    advantage,
    isPassed,
  };
}

function rowLosses(p: Float64Array, y: Uint8Array): Float64Array {
  return p.map((value, row) => {
    const held = Math.min(1 - 1e-12, Math.max(1e-12, value));
    return y[row] === 1 ? -Math.log(held) : -Math.log1p(-held);
  });
}
