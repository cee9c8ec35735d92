import { DAY_MS } from "../base/index.ts";

/** A span that ends at the cutoff, half-open: [cutoff - span, cutoff). */
export type Window = `${number}${"m" | "h" | "d"}`;

const UNIT_MS = { m: 60_000, h: 3_600_000, d: DAY_MS } as const;

/** Whether a text is a number and m, h or d. */
export function isWindow(text: string): text is Window {
  return /^\d+[mhd]$/.test(text);
}

const KNOWN = new Map<Window, number>();

/** A window's length in milliseconds. Throws on anything that is not a number and m, h or d. */
export function windowMs(window: Window): number {
  const known = KNOWN.get(window);
  if (known !== undefined) {
    return known;
  }
  const [, count, unit] = /^(\d+)([mhd])$/.exec(window) ?? [];
  if (count === undefined || unit === undefined) {
    throw new Error(`expected a window such as 30m, 1h or 7d, got "${window}"`);
  }
  const length = Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  KNOWN.set(window, length);
  return length;
}
