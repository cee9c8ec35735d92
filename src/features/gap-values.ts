import { lowerBound } from "../base/index.ts";
import type { GapStatistic } from "./aggregation.ts";

/** Differences between whole numbers in their order, and statistics of them, kept up to date as more numbers come. */
export class Gaps {
  #last: number | undefined;
  readonly #gaps: number[];
  #sorted: number[] | undefined;
  #sums: { sum: bigint; squares: bigint } | undefined;

  constructor(values: readonly number[]) {
    const sorted = [...values].sort((a, b) => a - b);
    this.#last = sorted.at(-1);
    this.#gaps = sorted.slice(1).map((value, index) => value - (sorted[index] ?? 0));
  }

  /** Counts one more number; false, and nothing is counted, where it is less than the greatest. */
  append(value: number): boolean {
    const last = this.#last;
    if (last !== undefined && value < last) {
      return false;
    }
    this.#last = value;
    if (last !== undefined) {
      this.#push(value - last);
    }
    return true;
  }

  /** Counts another number in place of the greatest; false, and nothing changes, where it is less or there is none. */
  moveLast(value: number): boolean {
    const last = this.#last;
    if (last === undefined || value < last) {
      return false;
    }
    this.#last = value;
    const gap = this.#gaps.pop();
    if (gap !== undefined) {
      this.#forget(gap);
      this.#push(gap + value - last);
    }
    return true;
  }

  /** A statistic of the gaps; null where there are too few. */
  statistic(statistic: GapStatistic): number | null {
    const count = this.#gaps.length;
    if (count === 0) {
      return null;
    }
    switch (statistic) {
      case "mean":
        return Number(this.#summed().sum) / count;
      case "std":
        return count < 2 ? null : this.#std();
      case "median": {
        const sorted = this.#inOrder();
        const [low = 0, high = 0] = [sorted[(count - 1) >> 1], sorted[count >> 1]];
        return (low + high) / 2;
      }
      case "last":
        return this.#gaps[count - 1] ?? null;
      case "max":
        return this.#inOrder()[count - 1] ?? null;
    }
  }

  #push(gap: number): void {
    this.#gaps.push(gap);
    this.#sorted?.splice(lowerBound(this.#sorted, gap), 0, gap);
    this.#addToSums(gap, 1n);
  }

  #forget(gap: number): void {
    this.#sorted?.splice(lowerBound(this.#sorted, gap), 1);
    this.#addToSums(gap, -1n);
  }

  #addToSums(gap: number, sign: bigint): void {
    if (this.#sums !== undefined) {
      const whole = BigInt(gap);
      this.#sums.sum += sign * whole;
      this.#sums.squares += sign * whole * whole;
    }
  }

  #inOrder(): readonly number[] {
    this.#sorted ??= [...this.#gaps].sort((a, b) => a - b);
    return this.#sorted;
  }

  #summed(): { readonly sum: bigint; readonly squares: bigint } {
    if (this.#sums === undefined) {
      this.#sums = { sum: 0n, squares: 0n };
      for (const gap of this.#gaps) {
        this.#addToSums(gap, 1n);
      }
    }
    return this.#sums;
  }

  #std(): number {
    const count = BigInt(this.#gaps.length);
    const { sum, squares } = this.#summed();
    const pairs = count * (count - 1n);
    return Math.sqrt(Number(count * squares - sum * sum) / Number(pairs));
  }
}
