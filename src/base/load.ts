import { performance } from "node:perf_hooks";

/** The share (0 to 1) of the time since it was last asked in which this process had something to do; undefined where that is too short to tell. An argument, as time is. */
export type Load = () => number | undefined;

const TOLD_MS_MIN = 10;

/** The load of this process' event loop; it takes 10 ms to tell. */
export function eventLoopLoad(): Load {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { active, idle, utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return active + idle < TOLD_MS_MIN ? undefined : utilization;
  };
}
