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
 * Fits on rows later than those of training, by Newton's method on the censored likelihood. Fewer
 * than 50 purchases leave the hazards as they are.
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
  let { intercept, slope } = NO_CALIBRATION;
  for (let iteration = 0; iteration < 20; iteration++) {
    let [g0, g1, h00, h01, h11] = [0, 0, 1e-9, 0, 1e-9];
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
    if (determinant <= 1e-12 * h00 * h11) {
      // All hazards alike (the marginal): only the level can be learned.
      intercept -= g0 / h00;
      continue;
    }
    const d0 = (h11 * g0 - h01 * g1) / determinant;
    const d1 = (h00 * g1 - h01 * g0) / determinant;
    intercept -= d0;
    slope -= d1;
    if (Math.abs(d0) + Math.abs(d1) < 1e-9) {
      break;
    }
  }
  return Number.isFinite(intercept) && Number.isFinite(slope) && slope > 0
    ? { intercept, slope }
    : NO_CALIBRATION;
}

/** The calibrated hazards. */
export function calibrate(hazards: Float64Array, { intercept, slope }: Calibration): Float64Array {
  return hazards.map((hazard) => sigmoid(intercept + slope * logit(hazard)));
}
