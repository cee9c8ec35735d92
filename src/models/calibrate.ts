import { eachAtRisk } from "./at-risk.ts";
import type { Dataset } from "./dataset.ts";
import { logit, sigmoid } from "./distribution.ts";

/**
 * Platt scaling of hazards (Platt 1999): calibrated logit = intercept + slope × logit + tilt × place, where the
 * place of an interval runs from -1/2 for the first to 1/2 for the last. The three numbers are shared by all
 * intervals, so that what happened in single weeks of a short calibration period can't bend those weeks.
 */
export interface Calibration {
  readonly intercept: number;
  readonly slope: number;
  /** 0 if absent. */
  readonly tilt?: number;
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
  const width = intervals > 1 ? 3 : 2;
  const loss = (theta: readonly number[]): number =>
    penalisedLoss(hazards, dataset, intervals, theta);
  let current: readonly number[] = [0, 1, 0].slice(0, width);
  let least = loss(current);
  for (let iteration = 0; iteration < 30; iteration++) {
    const direction = newtonDirection(hazards, dataset, intervals, current);
    const next = [1, 0.5, 0.25, 0.1, 0.02]
      .map((step) => current.map((value, index) => value - step * (direction[index] ?? 0)))
      .find((one) => (one[1] ?? 0) > 0 && loss(one) < least - 1e-9);
    if (next === undefined) {
      break;
    }
    current = next;
    least = loss(current);
  }
  const [intercept = 0, slope = 1, tilt] = current;
  return { intercept, slope, ...(tilt === undefined ? {} : { tilt }) };
}

/** Holds a short period's numbers near (0, 1, 0): worth about two purchases of evidence per unit squared. */
const PENALTY = 2;

const UNCHANGED = [0, 1, 0];

function placeOf(interval: number, intervals: number): number {
  return intervals > 1 ? interval / (intervals - 1) - 0.5 : 0;
}

function penalisedLoss(
  hazards: Float64Array,
  dataset: Dataset,
  intervals: number,
  theta: readonly number[],
): number {
  const [intercept = 0, slope = 1, tilt = 0] = theta;
  let loss =
    (PENALTY / 2) *
    theta.reduce((sum, value, index) => sum + (value - (UNCHANGED[index] ?? 0)) ** 2, 0);
  eachAtRisk(dataset, intervals, (row, interval, happened, weight) => {
    const x = logit(hazards[row * intervals + interval] ?? 0);
    const z = intercept + slope * x + tilt * placeOf(interval, intervals);
    loss += weight * (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - (happened ? z : 0));
  });
  return loss;
}

/** Gradient over curvature of the penalised loss. */
function newtonDirection(
  hazards: Float64Array,
  dataset: Dataset,
  intervals: number,
  theta: readonly number[],
): readonly number[] {
  const [intercept = 0, slope = 1, tilt = 0] = theta;
  const gradient = [0, 0, 0].map(
    (_, index) => PENALTY * ((theta[index] ?? 0) - (UNCHANGED[index] ?? 0)),
  );
  let [h00, h01, h02, h11, h12, h22] = [PENALTY, 0, 0, PENALTY, 0, PENALTY];
  let [g0 = 0, g1 = 0, g2 = 0] = theta.length < 3 ? [...gradient.slice(0, 2), 0] : gradient;
  eachAtRisk(dataset, intervals, (row, interval, happened, weight) => {
    const x = logit(hazards[row * intervals + interval] ?? 0);
    const place = placeOf(interval, intervals);
    const p = sigmoid(intercept + slope * x + tilt * place);
    const error = weight * (p - (happened ? 1 : 0));
    const curvature = weight * p * (1 - p);
    g0 += error;
    g1 += error * x;
    g2 += error * place;
    h00 += curvature;
    h01 += curvature * x;
    h02 += curvature * place;
    h11 += curvature * x * x;
    h12 += curvature * x * place;
    h22 += curvature * place * place;
  });
  const rows = [
    [h00, h01, h02, g0],
    [h01, h11, h12, g1],
    [h02, h12, h22, g2],
  ];
  return solve(
    rows.slice(0, theta.length).map((row) => [...row.slice(0, theta.length), row[3] ?? 0]),
  );
}

/** The solution of a positive definite system, given as rows of the matrix with the right side last. */
function solve(system: readonly (readonly number[])[]): number[] {
  const rows = system.map((row) => [...row]);
  const size = rows.length;
  rows.forEach((pivot, index) => {
    for (const row of rows.slice(index + 1)) {
      const factor = (row[index] ?? 0) / (pivot[index] ?? 1);
      pivot.forEach((value, column) => {
        row[column] = (row[column] ?? 0) - factor * value;
      });
    }
  });
  const solution = new Array<number>(size).fill(0);
  for (let index = size - 1; index >= 0; index--) {
    const row = rows[index] ?? [];
    const known = solution.reduce((sum, value, column) => sum + value * (row[column] ?? 0), 0);
    solution[index] = ((row[size] ?? 0) - known) / (row[index] ?? 1);
  }
  return solution;
}

/** The calibrated hazards, rows × intervals. */
export function calibrate(
  hazards: Float64Array,
  intervals: number,
  { intercept, slope, tilt = 0 }: Calibration,
): Float64Array {
  return hazards.map((hazard, cell) =>
    sigmoid(intercept + slope * logit(hazard) + tilt * placeOf(cell % intervals, intervals)),
  );
}
