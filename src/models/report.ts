import type { Calibration } from "./calibrate.ts";
import type { Interval, IntervalMetrics, Metrics } from "./evaluate.ts";
import type { ReliabilityBin } from "./metrics.ts";
import type { PruningPoint } from "./pruning.ts";
import type { ModelName } from "./task.ts";

/** One system's part of a report. */
export interface SystemReport {
  readonly metrics: Metrics;
  readonly perInterval: readonly IntervalMetrics[];
  readonly calibration: Calibration;
  readonly seconds: number;
}

/** Figures of a part of the test's visits, with the interval of its AUC. */
export interface VisitSlice {
  readonly by: "channel" | "visitor";
  readonly name: string;
  readonly rows: number;
  readonly orders: number;
  readonly metrics: Metrics;
}

/** How the champion does in visits: at which horizon, on whom, and what was left out. */
export interface VisitReport {
  readonly horizonsHours: readonly number[];
  readonly mainHorizonHours: number;
  readonly rows: number;
  readonly orderShare: number;
  /** Rows that no person makes, left out by the rule of `docs/intent.md`. */
  readonly botRows: number;
  readonly auc: Interval;
  readonly reliability: readonly ReliabilityBin[];
  /** Conversions of visits kept; the report's own curve is of the pool. */
  readonly pruning: readonly PruningPoint[];
  readonly slices: readonly VisitSlice[];
}

/** What an evaluation found; part of every model's card. Instants as ISO 8601. */
export interface Report {
  readonly model: ModelName;
  readonly intervals: number;
  readonly intervalDays: number;
  readonly seed: number;
  readonly backend: string;
  readonly trainingCutoffs: readonly string[];
  readonly calibrationCutoffs: readonly string[];
  readonly testCutoffs: readonly string[];
  readonly judgedAt: string;
  readonly rows: { readonly training: number; readonly calibration: number; readonly test: number };
  readonly testEventShare: number;
  readonly systems: Readonly<Record<string, SystemReport>>;
  /** The system that serves, and why. */
  readonly champion: string;
  readonly gate: {
    readonly bestBaseline: string;
    /** Mean loss of the best baseline minus the network's, in nats: positive where the network is better. */
    readonly advantage: Interval;
    readonly isPassed: boolean;
    /** What there was too little of for the network to serve, "had X, needs Y"; empty or absent where there was enough. */
    readonly missing?: readonly string[];
  };
  /** Of the champion: within 4 weeks (repurchase) or the horizon (intent). */
  readonly reliability: readonly ReliabilityBin[];
  /** Of the champion; empty for repurchase. */
  readonly pruning: readonly PruningPoint[];
  /** Of conversion intent that was learned from visits. */
  readonly visits?: VisitReport;
  readonly cost: {
    readonly featureRowsPerSecond: number;
    readonly trainingRowsPerSecond: number;
    readonly peakMemoryMiB: number;
  };
}
