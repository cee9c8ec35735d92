import { DAY_MS, type Store, toIso } from "../../base/index.ts";
import { knownCustomerNumbers } from "../../customers/index.ts";
import { featureColumn } from "../dataset.ts";
import { bootstrap } from "../evaluate.ts";
import { reliability, rocAuc } from "../metrics.ts";
import { pruningCurve } from "../pruning.ts";
import type { Report, VisitReport, VisitSlice } from "../report.ts";
import type { IntentEvaluation, IntentPeriods, TestedCandidate } from "./intent-evaluation.ts";
import { figuresOf, type Outcomes, outcomesAt } from "./intent-figures.ts";
import type { VisitTask } from "./intent-task.ts";

const HOUR_MS = 3_600_000;

/** The report of an evaluation on visits: its pruning curve is the pool's, `visits` has what happens in visits. */
export function intentReport(
  store: Store,
  task: VisitTask,
  { testFrom, testUntil, judgedAt }: IntentPeriods,
  evaluation: IntentEvaluation,
  backend: string,
  featureRowsPerSecond: number,
): Report {
  const { test, tested, champion, advantage, bestBaseline, isPassed } = evaluation;
  const { dataset } = test;
  const chosen = tested.get(champion);
  if (chosen === undefined) {
    throw new Error(`no system ${champion}`);
  }
  const horizons = task.horizonsMs.length;
  const pool = outcomesAt(
    dataset,
    chosen.probabilities,
    horizons,
    horizons - 1,
    (row) => test.isVisiting[row] === 0,
  );
  const customersOf = ({ rows }: Outcomes): Int32Array =>
    Int32Array.from(rows, (row) => dataset.customers[row] ?? 0);
  const { seed, epochs, members } = task.settings;
  return {
    model: "conversion-intent",
    intervals: 1,
    intervalDays: (task.horizonsMs.at(-1) ?? 0) / DAY_MS,
    seed,
    backend,
    trainingCutoffs: [toIso(testFrom - task.calibrationMs), toIso(testFrom)],
    calibrationCutoffs: [toIso(testFrom - task.calibrationMs), toIso(testFrom)],
    testCutoffs: [toIso(testFrom), toIso(testUntil)],
    judgedAt: toIso(judgedAt),
    rows: {
      training: evaluation.trainingRows,
      calibration: evaluation.calibrationRows,
      test: dataset.rows,
    },
    testEventShare: dataset.events.filter((event) => event >= 0).length / Math.max(1, dataset.rows),
    systems: Object.fromEntries(
      [...tested].map(([name, { metrics, model, seconds }]) => [
        name,
        {
          metrics,
          perInterval: [],
          calibration: model.calibration[task.mainHorizon] ?? { intercept: 0, slope: 1 },
          seconds,
        },
      ]),
    ),
    champion,
    gate: { bestBaseline, advantage, isPassed },
    reliability: reliability(pool.p, pool.y),
    pruning: pool.rows.length === 0 ? [] : pruningCurve(pool.p, pool.y, customersOf(pool), seed),
    visits: visitReport(store, task, evaluation, chosen),
    cost: {
      featureRowsPerSecond: Math.round(featureRowsPerSecond),
      trainingRowsPerSecond: Math.round(
        (evaluation.trainingRows * epochs * members) /
          (tested.get("network")?.seconds ?? Number.NaN),
      ),
      peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    },
  };
}

function visitReport(
  store: Store,
  task: VisitTask,
  { test }: IntentEvaluation,
  { probabilities }: TestedCandidate,
): VisitReport {
  const { dataset, isVisiting, channels } = test;
  const horizons = task.horizonsMs.length;
  const among = (keep: (row: number) => boolean): Outcomes =>
    outcomesAt(
      dataset,
      probabilities,
      horizons,
      task.mainHorizon,
      (row) => isVisiting[row] === 1 && keep(row),
    );
  const all = among(() => true);
  const customers = Int32Array.from(all.rows, (row) => dataset.customers[row] ?? 0);
  const orders = featureColumn(dataset, "customer_frequency");
  const known = knownCustomerNumbers(store);
  const kindOf = (row: number): string =>
    (orders[row] ?? 0) > 0
      ? "buyer"
      : known.has(dataset.customers[row] ?? 0)
        ? "known"
        : "anonymous";
  const slice = (by: VisitSlice["by"], name: string, part: Outcomes): VisitSlice => ({
    by,
    name,
    rows: part.rows.length,
    orders: part.y.reduce((sum, one) => sum + one, 0),
    metrics: figuresOf(part),
  });
  const channelNames = [...new Set(channels.map((channel) => channel ?? "not said"))].sort();
  return {
    horizonsHours: task.horizonsMs.map((horizon) => horizon / HOUR_MS),
    mainHorizonHours: (task.horizonsMs[task.mainHorizon] ?? 0) / HOUR_MS,
    rows: all.rows.length,
    orderShare: all.y.reduce((sum, one) => sum + one, 0) / Math.max(1, all.rows.length),
    botRows: test.botRows,
    auc: bootstrap(customers, task.settings.seed, (weights) => {
      const drawn = resample(all, weights);
      return rocAuc(drawn.p, drawn.y);
    }),
    reliability: reliability(all.p, all.y),
    pruning: pruningCurve(all.p, all.y, customers, task.settings.seed),
    slices: [
      ...channelNames.map((name) =>
        slice(
          "channel",
          name,
          among((row) => (channels[row] ?? "not said") === name),
        ),
      ),
      ...["anonymous", "known", "buyer"].map((name) =>
        slice(
          "visitor",
          name,
          among((row) => kindOf(row) === name),
        ),
      ),
    ].filter(({ rows }) => rows > 0),
  };
}

/** Rows as often as they were drawn. */
function resample({ p, y }: Outcomes, weights: Float64Array): { p: number[]; y: number[] } {
  const drawn: { p: number[]; y: number[] } = { p: [], y: [] };
  weights.forEach((weight, row) => {
    for (let copy = 0; copy < weight; copy++) {
      drawn.p.push(p[row] ?? 0);
      drawn.y.push(y[row] ?? 0);
    }
  });
  return drawn;
}
