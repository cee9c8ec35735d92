import { eachAtRisk } from "./at-risk.ts";
import type { Dataset } from "./dataset.ts";
import { logit, sigmoid } from "./distribution.ts";

/**
 * Platt scaling of hazards (Platt 1999): calibrated logit = intercept + slope × logit, two numbers
 * shared by all intervals, so that a short calibration period can't bend single weeks.
 */
export interface Calibration {
  readonly intercept: number;
  readonly slope: number;
}

export const NO_CALIBRATION: Calibration = { intercept: 0, slope: 1 };

const MINIMUM_EVENTS = 50;

/**
 * Fits on rows later than those of training, by damped Newton steps on the censored likelihood with a
 * weak pull towards no change. Fewer than 50 purchases leave the hazards as they are.
 */
export function fitCalibration(
  hazards: Float64Array,
  dataset: Dataset,
  intervals: number,
): Calibration {
  let events = 0;
  eachAtRisk(dataset, intervals, (_row, _interval, happened) => {
    events += happened ? 1 : 0;
  });
  if (events < MINIMUM_EVENTS) {
    return NO_CALIBRATION;
  }
  let current = NO_CALIBRATION;
  let loss = penalisedLoss(hazards, dataset, intervals, current);
  for (let iteration = 0; iteration < 30; iteration++) {
    const direction = newtonDirection(hazards, dataset, intervals, current);
    const next = [1, 0.5, 0.25, 0.1, 0.02]
      .map((step) => ({
        intercept: current.intercept - step * direction.intercept,
        slope: current.slope - step * direction.slope,
      }))
      .find(
        (one) => one.slope > 0 && penalisedLoss(hazards, dataset, intervals, one) < loss - 1e-9,
      );
    if (next === undefined) {
      break;
    }
    current = next;
    loss = penalisedLoss(hazards, dataset, intervals, current);
  }
  return current;
}

/** Holds a short period's numbers near (0, 1): worth about two purchases of evidence per unit squared. */
const PENALTY = 2;

function penalisedLoss(
  hazards: Float64Array,
  dataset: Dataset,
  intervals: number,
  { intercept, slope }: Calibration,
): number {
  let loss = (PENALTY / 2) * (intercept ** 2 + (slope - 1) ** 2);
  eachAtRisk(dataset, intervals, (row, interval, happened, weight) => {
    const z = intercept + slope * logit(hazards[row * intervals + interval] ?? 0);
    loss += weight * (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - (happened ? z : 0));
  });
  return loss;
}

/** Gradient over curvature of the penalised loss. */
function newtonDirection(
  hazards: Float64Array,
  dataset: Dataset,
  intervals: number,
  { intercept, slope }: Calibration,
): Calibration {
  let [g0, g1, h00, h01, h11] = [PENALTY * intercept, PENALTY * (slope - 1), PENALTY, 0, PENALTY];
  eachAtRisk(dataset, intervals, (row, interval, happened) => {
    const x = logit(hazards[row * intervals + interval] ?? 0);
    const p = sigmoid(intercept + slope * x);
    const error = p - (happened ? 1 : 0);
    const weight = p * (1 - p);
    g0 += error;
    g1 += error * x;
    h00 += weight;
    h01 += weight * x;
    h11 += weight * x * x;
  });
  const determinant = h00 * h11 - h01 * h01;
  return {
    intercept: (h11 * g0 - h01 * g1) / determinant,
    slope: (h00 * g1 - h01 * g0) / determinant,
  };
}

/** The calibrated hazards. */
export function calibrate(hazards: Float64Array, { intercept, slope }: Calibration): Float64Array {
  return hazards.map((hazard) => sigmoid(intercept + slope * logit(hazard)));
}
