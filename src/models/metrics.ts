/** Measures of probabilities against what happened. All take parallel arrays; outcomes are 0 or 1. */

/** Area under the ROC curve, ties counted half (Mann-Whitney); NaN where one class is absent. */
export function rocAuc(probabilities: ArrayLike<number>, outcomes: ArrayLike<number>): number {
  let positives = 0;
  let inversions = 0;
  let negativesAbove = 0;
  for (const tie of tiesOf(probabilities, outcomes)) {
    const negatives = tie.end - tie.start - tie.positives;
    inversions += tie.positives * (negativesAbove + negatives / 2);
    positives += tie.positives;
    negativesAbove += negatives;
  }
  return 1 - inversions / (positives * (probabilities.length - positives));
}

/** Average precision, the mean precision at each positive, ties as one step (scikit-learn's definition). */
export function averagePrecision(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number>,
): number {
  let positives = 0;
  let sum = 0;
  for (const tie of tiesOf(probabilities, outcomes)) {
    positives += tie.positives;
    sum += tie.positives * (positives / tie.end);
  }
  return sum / positives;
}

/** Mean negative log likelihood in nats; probabilities are held within [1e-12, 1 - 1e-12]. */
export function logLoss(probabilities: ArrayLike<number>, outcomes: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const p = Math.min(1 - 1e-12, Math.max(1e-12, probabilities[i] ?? 0));
    sum -= outcomes[i] === 1 ? Math.log(p) : Math.log1p(-p);
  }
  return sum / probabilities.length;
}

/** Mean squared difference of probability and outcome (Brier 1950). */
export function brierScore(probabilities: ArrayLike<number>, outcomes: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    sum += ((probabilities[i] ?? 0) - (outcomes[i] ?? 0)) ** 2;
  }
  return sum / probabilities.length;
}

/** One bin of a reliability table: mean forecast and observed share of `count` rows. */
export interface ReliabilityBin {
  readonly count: number;
  readonly forecast: number;
  readonly observed: number;
}

/** Bins of (nearly) equal count in order of forecast. */
export function reliability(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number>,
  bins = 15,
): ReliabilityBin[] {
  const order = descending(probabilities).reverse();
  return Array.from({ length: bins }, (_, bin) => {
    const rows = order.subarray(
      Math.round((bin * order.length) / bins),
      Math.round(((bin + 1) * order.length) / bins),
    );
    let forecast = 0;
    let observed = 0;
    for (const row of rows) {
      forecast += probabilities[row] ?? 0;
      observed += outcomes[row] ?? 0;
    }
    return {
      count: rows.length,
      forecast: forecast / rows.length,
      observed: observed / rows.length,
    };
  }).filter((bin) => bin.count > 0);
}

/** Expected calibration error over 15 bins of equal count: mean |forecast - observed|, weighted by count. */
export function calibrationError(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number>,
): number {
  return reliability(probabilities, outcomes).reduce(
    (sum, bin) => sum + (bin.count / probabilities.length) * Math.abs(bin.forecast - bin.observed),
    0,
  );
}

/**
 * Share of all positives that remain after the lowest-ranked `pruned` share of rows is cut, the rows
 * of one tie being cut in proportion; NaN without positives.
 */
export function keptAfterPruning(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number>,
  pruned: number,
): number {
  const keep = probabilities.length * (1 - pruned);
  let kept = 0;
  let positives = 0;
  for (const tie of tiesOf(probabilities, outcomes)) {
    positives += tie.positives;
    kept += tie.positives * Math.min(1, Math.max(0, (keep - tie.start) / (tie.end - tie.start)));
  }
  return kept / positives;
}

/** Row numbers by falling probability; equal ones in their order. */
export function descending(probabilities: ArrayLike<number>): Int32Array {
  const order = Int32Array.from({ length: probabilities.length }, (_, row) => row);
  return order.sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0) || a - b);
}

/** Runs of equal probability, the highest first: ranks [start, end) and the positives among them. */
function* tiesOf(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number>,
): Generator<{ readonly start: number; readonly end: number; readonly positives: number }> {
  const order = descending(probabilities);
  for (let start = 0; start < order.length; ) {
    const value = probabilities[order[start] ?? 0];
    let end = start;
    let positives = 0;
    while (end < order.length && probabilities[order[end] ?? 0] === value) {
      positives += outcomes[order[end] ?? 0] ?? 0;
      end++;
    }
    yield { start, end, positives };
    start = end;
  }
}
