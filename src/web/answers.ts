import { z } from "zod";
import { MODEL_NAMES } from "../models/index.ts";

/** Parts that several answers share. */

export const noParameters = z.strictObject({});

export const instant = z.iso
  .datetime()
  .meta({ id: "Instant", description: "ISO 8601, in UTC", example: "2011-12-09T00:00:00Z" });

export const count = z.int().min(0);

export const probability = z.number().min(0).max(1);

export const percentile = probability.meta({
  description: "the share of predictions at or below this one",
});

export const modelName = z.enum(MODEL_NAMES);

/** The four stamps of every answer: who said it and how fresh it is. */
export const stamps = {
  modelVersion: z.string(),
  asOf: instant.meta({ description: "the instant the answer pretends is now" }),
  dataThrough: instant.meta({ description: "the last event the data hold" }),
  computedAt: instant,
};

/** The stamps alone, of anything that carries them. */
export function stampsOf(from: {
  readonly modelVersion: string;
  readonly asOf: string;
  readonly dataThrough: string;
  readonly computedAt: string;
}): Record<keyof typeof stamps, string> {
  const { modelVersion, asOf, dataThrough, computedAt } = from;
  return { modelVersion, asOf, dataThrough, computedAt };
}

export const page = z.strictObject({
  next: z
    .string()
    .nullable()
    .meta({ description: "the cursor of the next page; null on the last" }),
  limit: count,
});

/** A share to six significant digits, without the noise of floating-point sums. */
export function rounded(share: number): number {
  return Number(share.toPrecision(6));
}
