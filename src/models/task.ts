import { DAY_MS, WEEK_MS } from "../base/index.ts";
import {
  type FeatureService,
  intentService,
  type Label,
  type ModelSpine,
  repurchaseService,
} from "../features/index.ts";
import type { HazardSettings } from "./hazard-network.ts";
import { type VisitTask, visitTask } from "./intent/intent-task.ts";

export const MODEL_NAMES = ["repurchase-week", "conversion-intent"] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/**
 * The question a model answers and how its rows are laid out in time. A horizon is `intervals`
 * half-open intervals of `intervalMs`, counted from the cutoff.
 */
export interface ModelTask {
  readonly model: ModelName;
  readonly service: FeatureService;
  readonly spine: ModelSpine;
  readonly intervals: number;
  readonly intervalMs: number;
  /** Days between two training cutoffs, and at most how many there are. */
  readonly stepDays: number;
  readonly maximumCutoffs: number;
  /** How many cutoffs, a step apart, make a test (or a calibration) period. */
  readonly testCutoffs: number;
  /** Training rows beyond this are sampled. */
  readonly maximumRows: number;
  /**
   * A training cutoff must lie at least this many intervals before the end of what is known; below
   * `intervals` the latest ones are censored.
   */
  readonly minimumObserved: number;
  readonly settings: HazardSettings;
  /** The systems that are fitted; all unless given. */
  readonly systems?: readonly string[];
  /** Of conversion intent where people's visits are known: learned from instants of these. */
  readonly visits?: VisitTask;
}

export interface TaskOptions {
  readonly horizonWeeks?: number;
  readonly horizonDays?: number;
  readonly minimumPurchases?: number;
  readonly poolDays?: number;
  /** Conversion intent is learned from visits where enough are known. */
  readonly hasVisits?: boolean;
  /** Horizons of conversion intent in visits, ascending, ms; the pool is asked about the last. */
  readonly horizonsMs?: readonly number[];
  /** The one of `horizonsMs` that ranks visitors; the second unless given, or the only one. */
  readonly mainHorizonMs?: number;
  /** Days on which intent in visits is judged. */
  readonly testDays?: number;
  readonly seed?: number;
  readonly maximumRows?: number;
  readonly maximumCutoffs?: number;
  /** Leaves out training cutoffs whose horizon is not over (for peers that can't learn from censored rows). */
  readonly completeLabels?: boolean;
  /** Fits only these of the model's systems. */
  readonly systems?: readonly string[];
}

export const DEFAULT_SEED = 7;

/** P(next purchase of the product in week 1..H, or later), for pairs bought on enough days. */
export function repurchaseTask(options: TaskOptions = {}): ModelTask {
  return {
    model: "repurchase-week",
    service: repurchaseService,
    spine: { entity: "pair", minimumPurchases: options.minimumPurchases ?? 2 },
    intervals: options.horizonWeeks ?? 12,
    intervalMs: WEEK_MS,
    stepDays: 28,
    maximumCutoffs: options.maximumCutoffs ?? 12,
    testCutoffs: 1,
    maximumRows: options.maximumRows ?? 600_000,
    minimumObserved: options.completeLabels === true ? (options.horizonWeeks ?? 12) : 4,
    ...(options.systems === undefined ? {} : { systems: options.systems }),
    settings: {
      hiddenUnits: [128, 128, 128],
      epochs: 3,
      batchSize: 1024,
      learningRate: 0.002,
      weightDecay: 3,
      hinges: 5,
      soonWeight: 3,
      members: 1,
      seed: options.seed ?? DEFAULT_SEED,
    },
  };
}

/** P(an order within the horizon) for customers active within the pool's days. */
export function intentTask(options: TaskOptions = {}): ModelTask {
  const days = options.horizonDays ?? 7;
  const horizonsMs = options.horizonsMs ?? HORIZONS_MS(days);
  return {
    model: "conversion-intent",
    service: intentService,
    spine: { entity: "customer", activeWithinDays: options.poolDays ?? 30 },
    intervals: 1,
    intervalMs: horizonsMs.at(-1) ?? days * DAY_MS,
    stepDays: 7,
    maximumCutoffs: options.maximumCutoffs ?? 52,
    testCutoffs: 4,
    maximumRows: options.maximumRows ?? 300_000,
    minimumObserved: 1,
    settings: {
      hiddenUnits: [64, 32],
      epochs: 4,
      batchSize: 512,
      learningRate: 0.002,
      weightDecay: 3,
      members: 2,
      seed: options.seed ?? DEFAULT_SEED,
    },
    ...(options.hasVisits === true
      ? {
          visits: visitTask({
            seed: DEFAULT_SEED,
            ...options,
            horizonsMs,
          }),
        }
      : {}),
  };
}

/** An hour, a day, and as far as the pool is asked about. */
const HORIZONS_MS = (days: number): number[] =>
  [DAY_MS / 24, DAY_MS, days * DAY_MS].filter(
    (horizon, index) => index === 2 || horizon < days * DAY_MS,
  );

/** The task's label as seen by someone who knows what was known before `knownBefore` (epoch ms). */
export function labelOf(task: ModelTask, knownBefore: number): Label {
  return { count: task.intervals, lengthMs: task.intervalMs, knownBefore };
}

/** The task's horizon in milliseconds. */
export function horizonMs(task: ModelTask): number {
  return task.intervals * task.intervalMs;
}
