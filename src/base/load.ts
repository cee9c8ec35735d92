import { performance } from "node:perf_hooks";

/** The share (0 to 1) of the time since it was last asked in which this process had something to do. An argument, as time is. */
export type Load = () => number;

/** The load of this process' event loop. */
export function eventLoopLoad(): Load {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
