import { type Clock, type Logger, type Problems, toIso } from "./base/index.ts";

/** Tells the operator, in the log and in health, when events have not been sealed for too long. */
export interface SealWatch {
  /** Call it at each time when events should be sealed. */
  check(): void;
  succeed(): void;
  /** `reason` is shown by health to whoever asks: no paths, no statements. */
  fail(reason: string): void;
}

const LIMIT_MS = 600_000;

/** The problem's code in health. */
const NOT_SEALED = "not-sealed";

/** A watch that counts from now. */
export function watchSealing(clock: Clock, logger: Logger, problems: Problems): SealWatch {
  let sealedAt = clock.now();
  let loggedAt = -Infinity;
  let reason: string | undefined;
  const check = (): void => {
    const now = clock.now();
    if (now - sealedAt < LIMIT_MS) {
      return;
    }
    const message = `no event has moved from the inbox to the history since ${toIso(sealedAt)}: ${reason ?? "one attempt has been running since then"}`;
    problems.report(NOT_SEALED, message);
    if (now - loggedAt >= LIMIT_MS) {
      loggedAt = now;
      logger.error({ reason: message }, "not sealed for ten minutes");
    }
  };
  return {
    check,
    succeed: () => {
      sealedAt = clock.now();
      loggedAt = -Infinity;
      reason = undefined;
      problems.clear(NOT_SEALED);
    },
    fail: (why) => {
      reason = why;
      check();
    },
  };
}
