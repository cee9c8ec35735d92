import { cyclic } from "../expression.ts";
import type { DerivedFeature } from "../feature-view.ts";

/** 1970-01-01 was a Thursday: three days from Monday. */
const MONDAY_OFFSET_DAYS = -3;

const CYCLES = [
  ["year", 365.25, 0],
  ["week", 7, MONDAY_OFFSET_DAYS],
  ["day", 1, 0],
] as const;

/** Season, weekday and hour of the cutoff (UTC), each as a point on a circle. */
export const instantFeatures: readonly DerivedFeature[] = CYCLES.flatMap(([cycle, days, offset]) =>
  (["sin", "cos"] as const).map((wave) => ({
    entity: "instant" as const,
    name: `cutoff_${cycle}_${wave}`,
    expression: cyclic(wave, days, offset),
    unit: "wave" as const,
    meaning: `${wave === "sin" ? "sine" : "cosine"} of where the cutoff stands in the ${cycle}`,
    whenUnknown: null,
  })),
);
