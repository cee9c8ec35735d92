import { readdirSync } from "node:fs";
import { setPriority } from "node:os";

/** As `nice` knows it: what serves has 0, and goes first. */
const BATCH_PRIORITY = 10;

/**
 * Lets every other process on the machine go first, for long work. On Linux each thread has a priority of its own, and those
 * that start later take that of the thread that starts them. Where the system does not allow it, everything stays as it is.
 */
export function yieldProcessor(): void {
  for (const thread of threads()) {
    try {
      setPriority(thread, BATCH_PRIORITY);
    } catch {
      // A thread that has ended, or a system that does not allow it.
    }
  }
}

function threads(): number[] {
  try {
    return readdirSync("/proc/self/task").map(Number);
  } catch {
    return [process.pid];
  }
}
