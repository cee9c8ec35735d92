import type { Dataset } from "../dataset.ts";
import {
  averagePrecision,
  brierScore,
  calibrationError,
  keptAfterPruning,
  logLoss,
  rocAuc,
} from "../metrics.ts";
import type { VisitTask } from "./intent-task.ts";
import type { IntentRows } from "./rows.ts";

/** Forecasts of one horizon and what happened, of the rows whose horizon was seen to its end. */
export interface Outcomes {
  readonly rows: Int32Array;
  readonly p: Float64Array;
  readonly y: Uint8Array;
}

/** The rows that `keep` chooses and whose horizon (an index) was seen whole. */
export function outcomesAt(
  dataset: Dataset,
  probabilities: Float64Array,
  horizons: number,
  horizon: number,
  keep: (row: number) => boolean,
): Outcomes {
  const rows: number[] = [];
  for (let row = 0; row < dataset.rows; row++) {
    if ((dataset.observed[row] ?? 0) > horizon && keep(row)) {
      rows.push(row);
    }
  }
  return {
    rows: Int32Array.from(rows),
    p: Float64Array.from(rows, (row) => probabilities[row * horizons + horizon] ?? 0),
    y: Uint8Array.from(rows, (row) => {
      const event = dataset.events[row] ?? -1;
      return event >= 0 && event <= horizon ? 1 : 0;
    }),
  };
}

const PRUNED = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

/** AUC, average precision, log loss, Brier, calibration error and conversions kept at 10 to 80% pruned. */
export function figuresOf(
  { p, y }: Pick<Outcomes, "p" | "y">,
  prefix = "",
): Record<string, number> {
  return {
    [`${prefix}auc`]: rocAuc(p, y),
    [`${prefix}average_precision`]: averagePrecision(p, y),
    [`${prefix}log_loss`]: logLoss(p, y),
    [`${prefix}brier`]: brierScore(p, y),
    [`${prefix}calibration_error`]: calibrationError(p, y),
    ...Object.fromEntries(
      PRUNED.map((share) => [
        `${prefix}kept_${Math.round(100 * share)}`,
        keptAfterPruning(p, y, share),
      ]),
    ),
  };
}

/**
 * A system's figures: of visits at the main horizon (no prefix) and at the others (`h1_` for the first), and of the
 * pool between visits within the last horizon (`pool_`).
 */
export function intentMetrics(
  task: VisitTask,
  { dataset, isVisiting }: IntentRows,
  probabilities: Float64Array,
): Record<string, number> {
  const horizons = task.horizonsMs.length;
  const at = (horizon: number, visiting: number): Outcomes =>
    outcomesAt(dataset, probabilities, horizons, horizon, (row) => isVisiting[row] === visiting);
  const others = Object.fromEntries(
    task.horizonsMs.flatMap((_, horizon) =>
      horizon === task.mainHorizon
        ? []
        : Object.entries(figuresOf(at(horizon, 1), `h${horizon + 1}_`)),
    ),
  );
  return {
    ...figuresOf(at(task.mainHorizon, 1)),
    ...figuresOf(at(horizons - 1, 0), "pool_"),
    ...others,
  };
}
