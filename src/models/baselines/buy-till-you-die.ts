import { type Dataset, featureColumn } from "../dataset.ts";
import { logBeta, logGamma } from "./log-gamma.ts";
import { minimise } from "./minimise.ts";

/**
 * The beta-geometric model of buying until one stops (BG/NBD; Fader, Hardie and Lee 2005, "Counting your
 * customers the easy way") and its relative with regular timing (BG/CNBD-k; Platzer and Reutterer 2016,
 * "Ticking away the moments"): purchases are Erlang-`regularity` apart at a rate that is gamma(r, alpha)
 * over buyers, and after each repeat one stops for good with a chance that is beta(a, b). Regularity 1 is
 * BG/NBD.
 */
export interface BuyTillYouDie {
  readonly r: number;
  /** In the unit of the histories. */
  readonly alpha: number;
  readonly a: number;
  readonly b: number;
  readonly regularity: number;
}

/** One buyer's history: repeats after the first purchase, when the last was, and until when it was seen, since the first. */
export interface BuyingHistory {
  readonly repeats: number;
  readonly last: number;
  readonly until: number;
}

export interface BuyTillYouDieFit extends BuyTillYouDie {
  readonly logLikelihood: number;
}

/**
 * Fits by maximum likelihood, in logs of the four parameters. With `isRepeating`, of histories known to have
 * a repeat at least, as pairs bought twice do: the likelihood is given that.
 */
export function fitBuyTillYouDie(
  histories: readonly BuyingHistory[],
  { regularity = 1, isRepeating = false } = {},
): BuyTillYouDieFit {
  const until = histories.reduce((sum, one) => sum + one.until, 0) / Math.max(1, histories.length);
  const model = (point: readonly number[]): BuyTillYouDie => {
    const [r = 0, alpha = 0, a = 0, b = 0] = point.map(Math.exp);
    return { r, alpha, a, b, regularity };
  };
  const loss = (point: readonly number[]): number => {
    if (point.some((x) => Math.abs(x) > 15)) {
      return Number.POSITIVE_INFINITY;
    }
    const fitted = model(point);
    return -histories.reduce(
      (sum, history) =>
        sum +
        logLikelihood(fitted, history) -
        (isRepeating ? logRepeated(fitted, history.until) : 0),
      0,
    );
  };
  const start = [0, Math.log(Math.max(1e-3, until / 4)), 0, 0];
  const { point, value } = minimise(loss, start);
  return { ...model(point), logLikelihood: -value };
}

/** Of one history, less a constant that only its gaps and the regularity make. */
function logLikelihood(model: BuyTillYouDie, { repeats, last, until }: BuyingHistory): number {
  const { r, alpha, a, b, regularity } = model;
  const shape = r + regularity * repeats;
  const common = r * Math.log(alpha) - logGamma(r) - logBeta(a, b);
  const alive = logBeta(a, b + repeats) + logSilence(model, shape, last, until);
  if (repeats === 0) {
    return common + alive;
  }
  const dead = logBeta(a + 1, b + repeats - 1) + logGamma(shape) - shape * Math.log(alpha + last);
  return common + logSum(alive, dead);
}

/** Of no purchase from `last` until `until` while alive, the rate integrated out, up to a constant of the model and shape. */
function logSilence(
  { alpha, regularity }: BuyTillYouDie,
  shape: number,
  last: number,
  until: number,
): number {
  const gap = Math.max(0, until - last);
  let result = logGamma(shape) - shape * Math.log(alpha + until);
  for (let stage = 1; stage < regularity && gap > 0; stage++) {
    const term =
      stage * Math.log(gap) -
      logGamma(stage + 1) +
      logGamma(shape + stage) -
      (shape + stage) * Math.log(alpha + until);
    result = logSum(result, term);
  }
  return result;
}

/** Of a repeat before `until`. */
function logRepeated(model: BuyTillYouDie, until: number): number {
  const silent = logLikelihood(model, { repeats: 0, last: 0, until });
  return Math.log(Math.max(1e-12, -Math.expm1(silent)));
}

function logSum(a: number, b: number): number {
  const high = Math.max(a, b);
  return high + Math.log1p(Math.exp(Math.min(a, b) - high));
}

/** P(still buying | history), in [0, 1]. */
export function aliveShare(model: BuyTillYouDie, { repeats, last, until }: BuyingHistory): number {
  if (repeats === 0) {
    return 1;
  }
  const { a, b, alpha, r, regularity } = model;
  const shape = r + regularity * repeats;
  const alive = logBeta(a, b + repeats) + logSilence(model, shape, last, until);
  const dead = logBeta(a + 1, b + repeats - 1) + logGamma(shape) - shape * Math.log(alpha + last);
  return 1 / (1 + Math.exp(dead - alive));
}

/** P(no purchase within `span` | history); falls from 1 to the share that stopped. */
export function silenceOf(model: BuyTillYouDie, history: BuyingHistory, span: number): number {
  const { repeats, last, until } = history;
  const shape = model.r + model.regularity * repeats;
  const silent = Math.exp(
    logSilence(model, shape, last, until + span) - logSilence(model, shape, last, until),
  );
  return 1 - aliveShare(model, history) * (1 - silent);
}

/** The features that tell a history, in days. */
export interface HistoryFeatures {
  readonly frequency: string;
  readonly recency: string;
  readonly tenure: string;
}

/** A fitted model of rows of features, saved with the version. */
export interface BuyTillYouDieHazard {
  readonly features: HistoryFeatures;
  readonly intervals: number;
  readonly intervalDays: number;
  readonly model: BuyTillYouDie;
}

const SAMPLE = 8000;
const MAXIMUM_REGULARITY = 4;

/**
 * Fits the histories of the latest cutoff's rows (evenly spaced 8,000 of them): with `isRegular` at the
 * regularity from 2 to 4 that says best what those rows did next, else at 1.
 */
export function fitBuyTillYouDieHazard(
  dataset: Dataset,
  intervals: number,
  intervalDays: number,
  features: HistoryFeatures,
  isRegular: boolean,
): BuyTillYouDieHazard {
  const latest = dataset.cutoffs.reduce((a, b) => Math.max(a, b), 0);
  const histories = historiesOf(dataset, features);
  const rows: number[] = [];
  for (let row = 0; row < dataset.rows; row++) {
    if (dataset.cutoffs[row] === latest) {
      rows.push(row);
    }
  }
  const stride = Math.max(1, Math.ceil(rows.length / SAMPLE));
  const chosen = rows.filter((_, index) => index % stride === 0);
  const seen = chosen.map((row) => histories[row] ?? NO_HISTORY);
  const isRepeating = seen.every(({ repeats }) => repeats > 0);
  const candidates = isRegular
    ? Array.from({ length: MAXIMUM_REGULARITY - 1 }, (_, index) => index + 2)
    : [1];
  const fitted = candidates.map((regularity) => {
    const { r, alpha, a, b } = fitBuyTillYouDie(seen, { regularity, isRepeating });
    return { features, intervals, intervalDays, model: { r, alpha, a, b, regularity } };
  });
  const outcomeLoss = (one: BuyTillYouDieHazard): number =>
    chosen.reduce((sum, row) => sum + outcome(one, histories[row] ?? NO_HISTORY, dataset, row), 0);
  return fitted.reduce((best, one) => (outcomeLoss(one) < outcomeLoss(best) ? one : best));
}

const NO_HISTORY: BuyingHistory = { repeats: 0, last: 0, until: 0 };

function outcome(
  one: BuyTillYouDieHazard,
  history: BuyingHistory,
  dataset: Dataset,
  row: number,
): number {
  const event = dataset.events[row] ?? -1;
  const days = (interval: number): number =>
    silenceOf(one.model, history, interval * one.intervalDays);
  return event >= 0
    ? -Math.log(Math.max(1e-12, days(event) - days(event + 1)))
    : -Math.log(Math.max(1e-12, days(Math.min(one.intervals, dataset.observed[row] ?? 0))));
}

/** Who never bought has an empty history: the population is all there is. */
function historiesOf(dataset: Dataset, features: HistoryFeatures): BuyingHistory[] {
  const [frequency, recency, tenure] = [
    featureColumn(dataset, features.frequency),
    featureColumn(dataset, features.recency),
    featureColumn(dataset, features.tenure),
  ];
  return Array.from({ length: dataset.rows }, (_, row) => {
    const until = known(tenure[row]);
    return {
      repeats: Math.max(0, known(frequency[row]) - 1),
      last: Math.max(0, until - known(recency[row])),
      until,
    };
  });
}

function known(value: number | undefined): number {
  return value === undefined || Number.isNaN(value) ? 0 : value;
}

/** The model's hazards for every row, rows × intervals. */
export function buyTillYouDieHazards(one: BuyTillYouDieHazard, dataset: Dataset): Float64Array {
  const { intervals, intervalDays, model } = one;
  const result = new Float64Array(dataset.rows * intervals);
  historiesOf(dataset, one.features).forEach((history, row) => {
    let before = 1;
    for (let interval = 0; interval < intervals; interval++) {
      const after = silenceOf(model, history, (interval + 1) * intervalDays);
      result[row * intervals + interval] = Math.min(1, Math.max(0, 1 - after / before));
      before = after;
    }
  });
  return result;
}
