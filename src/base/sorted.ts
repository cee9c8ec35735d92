/** The first index whose value is not below `value` (or, `after`, is above it). */
export function lowerBound(sorted: ArrayLike<number>, value: number, after = false): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = sorted[middle] ?? 0;
    if (at < value || (after && at === value)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** The order of two texts by code units, as no locale changes it: below, at or above 0. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
