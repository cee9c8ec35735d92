import { ServiceError } from "../base/index.ts";
import { bootstrap } from "./evaluate.ts";
import { descending } from "./metrics.ts";

/** What remains of the conversions when the lowest-ranked share of a pool is not addressed. */
export interface PruningPoint {
  /** Share of the pool that is left out. */
  readonly pruned: number;
  /** Share of the conversions kept, with its 95% interval over customers. */
  readonly kept: number;
  readonly low: number;
  readonly high: number;
}

const STEP = 0.05;

/** The curve at 0, 5, ... 95% pruned, by predictions made before the outcomes. */
export function pruningCurve(
  probabilities: Float64Array,
  outcomes: Uint8Array,
  customers: Int32Array,
  seed: number,
): PruningPoint[] {
  const order = descending(probabilities);
  return Array.from({ length: 20 }, (_, index) => {
    const pruned = Math.round(index * STEP * 100) / 100;
    const keep = new Uint8Array(order.length);
    for (const row of order.subarray(0, Math.round(order.length * (1 - pruned)))) {
      keep[row] = 1;
    }
    const interval = bootstrap(customers, seed, (weights) => {
      let kept = 0;
      let all = 0;
      for (let row = 0; row < keep.length; row++) {
        const converted = (weights[row] ?? 0) * (outcomes[row] ?? 0);
        all += converted;
        kept += converted * (keep[row] ?? 0);
      }
      return all === 0 ? Number.NaN : kept / all;
    });
    const low = interval.mean === 1 && pruned > 0 ? lowIfNoneLost(outcomes) : interval.low;
    return { pruned, kept: interval.mean, low, high: interval.high };
  });
}

/** Where none of n conversions was lost, resampling sees no doubt: the exact bound (Clopper & Pearson 1934). */
function lowIfNoneLost(outcomes: Uint8Array): number {
  return (
    0.025 **
    (1 /
      Math.max(
        1,
        outcomes.reduce((sum, outcome) => sum + outcome, 0),
      ))
  );
}

/** Where to cut the pool: how much to leave out, and what that kept in the back-test. */
export interface PruningCut extends PruningPoint {
  /** Members left to address. */
  readonly members: number;
  readonly rule: string;
}

export type PruningRequest =
  | { readonly by: "loss"; readonly maximumLoss: number; readonly bound: "expected" | "low" }
  | { readonly by: "members"; readonly maximumMembers: number };

/**
 * The deepest cut whose conversions lost stay within `maximumLoss` (by the expected share, or by the
 * low end of its interval), or the cut that leaves `maximumMembers`; kept shares are linear between
 * points of the curve.
 */
export function cutPool(
  curve: readonly PruningPoint[],
  poolSize: number,
  request: PruningRequest,
): PruningCut {
  if (curve.length === 0) {
    throw new ServiceError(
      "not-ready",
      "there is no pruning curve yet: train conversion-intent first",
    );
  }
  if (request.by === "members") {
    const pruned = poolSize === 0 ? 0 : Math.max(0, 1 - request.maximumMembers / poolSize);
    const members = Math.min(poolSize, Math.max(0, Math.floor(request.maximumMembers)));
    return {
      ...interpolate(curve, pruned),
      members,
      rule: `at most ${request.maximumMembers} members`,
    };
  }
  const allowed = curve.filter(
    (point) => 1 - (request.bound === "low" ? point.low : point.kept) <= request.maximumLoss + 1e-9,
  );
  const deepest = allowed[allowed.length - 1] ?? interpolate(curve, 0);
  return {
    ...deepest,
    members: Math.round(poolSize * (1 - deepest.pruned)),
    rule: `at most ${Math.round(1000 * request.maximumLoss) / 10}% of conversions lost (${request.bound === "low" ? "low end of the 95% interval" : "expected"})`,
  };
}

function interpolate(curve: readonly PruningPoint[], pruned: number): PruningPoint {
  const right = curve.findIndex((point) => point.pruned >= pruned);
  const after = curve[right === -1 ? curve.length - 1 : right];
  const before = curve[Math.max(0, (right === -1 ? curve.length : right) - 1)];
  if (after === undefined || before === undefined) {
    return { pruned, kept: 1, low: 1, high: 1 };
  }
  // Beyond the last point the curve falls to nothing kept of nothing addressed.
  const end = right === -1 ? { pruned: 1, kept: 0, low: 0, high: 0 } : after;
  const start = right === -1 ? after : before;
  const share =
    end.pruned === start.pruned ? 0 : (pruned - start.pruned) / (end.pruned - start.pruned);
  const between = (a: number, b: number): number => a + share * (b - a);
  return {
    pruned,
    kept: between(start.kept, end.kept),
    low: between(start.low, end.low),
    high: between(start.high, end.high),
  };
}
