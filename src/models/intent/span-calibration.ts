import { sigmoid } from "../distribution.ts";

/** Platt scaling (Platt 1999) of one span's hazard: calibrated log odds = intercept + slope × log odds. */
export interface Shift {
  readonly intercept: number;
  readonly slope: number;
}

export const NO_SHIFT: Shift = { intercept: 0, slope: 1 };

/** Rows at risk in a span: log odds of what was forecast, what happened, and how much each counts. */
export interface SpanOutcomes {
  readonly logOdds: Float64Array;
  readonly happened: Uint8Array;
  readonly weights: Float64Array;
}

const EVENTS_MIN = 50;
const ITERATIONS = 30;

/**
 * Fits by damped Newton steps on the weighted likelihood, with a pull towards no change that is worth about two
 * orders of evidence. Below 50 orders the intercept alone is fitted, below 10 nothing.
 */
export function fitShift({ logOdds, happened, weights }: SpanOutcomes): Shift {
  const events = happened.reduce((sum, one) => sum + one, 0);
  if (events < EVENTS_MIN / 5) {
    return NO_SHIFT;
  }
  const isSloped = events >= EVENTS_MIN;
  const lossOf = ({ intercept, slope }: Shift): number => {
    let loss = (PENALTY / 2) * (intercept ** 2 + (slope - 1) ** 2);
    logOdds.forEach((x, row) => {
      const z = intercept + slope * x;
      loss +=
        (weights[row] ?? 0) *
        (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - (happened[row] === 1 ? z : 0));
    });
    return loss;
  };
  let current = NO_SHIFT;
  let loss = lossOf(current);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const direction = newton(logOdds, happened, weights, current, isSloped);
    const next = [1, 0.5, 0.2, 0.05]
      .map((step) => ({
        intercept: current.intercept - step * direction.intercept,
        slope: current.slope - step * direction.slope,
      }))
      .find((one) => one.slope > 0 && lossOf(one) < loss - 1e-9);
    if (next === undefined) {
      break;
    }
    current = next;
    loss = lossOf(next);
  }
  return current;
}

const PENALTY = 2;

function newton(
  logOdds: Float64Array,
  happened: Uint8Array,
  weights: Float64Array,
  { intercept, slope }: Shift,
  isSloped: boolean,
): Shift {
  let [g0, g1, h00, h01, h11] = [PENALTY * intercept, PENALTY * (slope - 1), PENALTY, 0, PENALTY];
  logOdds.forEach((x, row) => {
    const p = sigmoid(intercept + slope * x);
    const weight = weights[row] ?? 0;
    const error = weight * (p - (happened[row] ?? 0));
    const curve = weight * p * (1 - p);
    g0 += error;
    g1 += error * x;
    h00 += curve;
    h01 += curve * x;
    h11 += curve * x * x;
  });
  if (!isSloped) {
    return { intercept: g0 / h00, slope: 0 };
  }
  const determinant = h00 * h11 - h01 * h01;
  return {
    intercept: (h11 * g0 - h01 * g1) / determinant,
    slope: (h00 * g1 - h01 * g0) / determinant,
  };
}
