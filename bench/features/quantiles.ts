/** The median and the 99th percentile. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** Quantiles of times: the value that so many of them reach at most. */
export function quantilesOf(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
