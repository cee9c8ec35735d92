/**
 * Probabilities over intervals from hazards: row-major, rows × (intervals + 1); the last column is
 * "later or never". Each row sums to 1.
 */
export function distributionOf(hazards: Float64Array, intervals: number): Float64Array {
  const rows = hazards.length / intervals;
  const result = new Float64Array(rows * (intervals + 1));
  for (let row = 0; row < rows; row++) {
    let survival = 1;
    for (let k = 0; k < intervals; k++) {
      const hazard = hazards[row * intervals + k] ?? 0;
      result[row * (intervals + 1) + k] = survival * hazard;
      survival *= 1 - hazard;
    }
    result[row * (intervals + 1) + intervals] = survival;
  }
  return result;
}

/** The probability of an event in intervals [from, to), per row of a distribution of `intervals` and later. */
export function probabilityWithin(
  distribution: Float64Array,
  intervals: number,
  from: number,
  to: number,
): Float64Array {
  const width = intervals + 1;
  return Float64Array.from({ length: distribution.length / width }, (_, row) =>
    distribution.subarray(row * width + from, row * width + to).reduce((sum, p) => sum + p, 0),
  );
}

/** One over one plus e to the minus x. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The log odds of a probability held within [1e-12, 1 - 1e-12]. */
export function logit(p: number): number {
  const held = Math.min(1 - 1e-12, Math.max(1e-12, p));
  return Math.log(held / (1 - held));
}
