import { DAY_MS, ServiceError } from "../../base/index.ts";
import type { IntentSettings } from "./network.ts";

/** How intent is learned from visits. Times in ms. */
export interface VisitTask {
  /** Ascending; the first hour, day and week unless said. */
  readonly horizonsMs: readonly number[];
  /** The horizon that ranks visitors, is explained and is judged first; an index. */
  readonly mainHorizon: number;
  readonly poolDays: number;
  /** How long the periods are on which it is calibrated and judged. */
  readonly testMs: number;
  readonly calibrationMs: number;
  /** How long before the end of the calibration period a row counts half. */
  readonly halfLifeMs: number;
  /** Instants of one visit that are learned from, at most. */
  readonly perVisit: number;
  readonly rowsMax: number;
  readonly settings: IntentSettings;
}

export interface VisitOptions {
  readonly horizonsMs?: readonly number[];
  readonly mainHorizonMs?: number;
  readonly poolDays?: number;
  readonly testDays?: number;
  readonly seed?: number;
  readonly maximumRows?: number;
}

const HOUR_MS = 3_600_000;

/**
 * P(an order within each horizon) as of any event of a visit, and between visits. Throws `invalid-input` where the main
 * horizon is none of them.
 */
export function visitTask(options: VisitOptions = {}): VisitTask {
  const horizonsMs = options.horizonsMs ?? [HOUR_MS, DAY_MS, 7 * DAY_MS];
  return {
    horizonsMs,
    mainHorizon: mainHorizonOf(horizonsMs, options.mainHorizonMs),
    poolDays: options.poolDays ?? 30,
    testMs: (options.testDays ?? 21) * DAY_MS,
    calibrationMs: 14 * DAY_MS,
    halfLifeMs: 7 * DAY_MS,
    perVisit: 30,
    rowsMax: options.maximumRows ?? 300_000,
    settings: {
      bins: 6,
      hiddenUnits: [64, 32],
      epochs: 6,
      batchSize: 1024,
      learningRate: 0.002,
      weightDecay: 1.5,
      members: 6,
      seed: options.seed ?? 7,
    },
  };
}

const hours = (ms: number): string => `${ms / HOUR_MS}h`;

function mainHorizonOf(horizonsMs: readonly number[], mainMs: number | undefined): number {
  const main =
    mainMs === undefined ? Math.min(1, horizonsMs.length - 1) : horizonsMs.indexOf(mainMs);
  if (main < 0) {
    throw new ServiceError(
      "invalid-input",
      `main-horizon: expected one of the horizons (${horizonsMs.map(hours).join(", ")}), got ${hours(mainMs ?? 0)}`,
      { field: "main-horizon" },
    );
  }
  return main;
}
