import { performance } from "node:perf_hooks";

/** How busy this process is, but for work that is left out. An argument, as time is. */
export interface Load {
  /** The share (0 to 1) of the time since it was last told in which there was something to do; undefined where that is too short to tell. */
  share(): number | undefined;
  /** Leaves out the time since it was last asked. */
  leaveOut(): void;
}

const TOLD_MS_MIN = 10;

/** The load of this process' event loop; it takes 10 ms to tell. */
export function eventLoopLoad(): Load {
  let last = performance.eventLoopUtilization();
  let active = 0;
  let idle = 0;
  return {
    share: () => {
      const now = performance.eventLoopUtilization();
      const since = performance.eventLoopUtilization(now, last);
      last = now;
      active += since.active;
      idle += since.idle;
      if (active + idle < TOLD_MS_MIN) {
        return undefined;
      }
      const share = active / (active + idle);
      active = 0;
      idle = 0;
      return share;
    },
    leaveOut: () => {
      last = performance.eventLoopUtilization();
    },
  };
}
