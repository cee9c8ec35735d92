import { totalmem } from "node:os";

const MIB = 2 ** 20;
const LEAST_MIB = 700;
const MOST_MIB = 4096;

/**
 * How much memory (MiB) one heavy session may take: a quarter of what the machine has, or of what its
 * container allows, but not below 700 and not above 4,096; what does not fit is spilled to disk.
 */
export function workingMemoryMiB(
  machineBytes: number = totalmem(),
  allowedBytes: number = process.constrainedMemory(),
): number {
  // Without a limit 0 or a number far beyond the machine is told.
  const bytes = allowedBytes > 0 ? Math.min(machineBytes, allowedBytes) : machineBytes;
  return Math.round(Math.min(Math.max(bytes / 4 / MIB, LEAST_MIB), MOST_MIB));
}
