import { pino } from "pino";

/** Structured lines on standard error; never personal data. Standard output is for answers. */
export type Logger = pino.Logger;

/** A logger at the given level (`silent` for tests). */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
