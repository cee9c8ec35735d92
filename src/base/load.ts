import { performance } from "node:perf_hooks";

/** The share (0 to 1) of the time since it was last asked in which this process had something to do. An argument, as time is. */
export type Load = () => number;

/** Less than this is what the loop itself takes, and perhaps one small request. */
const ACTIVE_MS_MIN = 5;

/** The load of this process' event loop; 0 where next to nothing was waiting. */
export function eventLoopLoad(): Load {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { active, utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return active < ACTIVE_MS_MIN ? 0 : utilization;
  };
}
