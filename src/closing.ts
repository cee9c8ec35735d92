import type { Server } from "node:http";
import type { Every } from "./base/index.ts";

/**
 * Stops listening, lets the requests that are under way finish, and cuts what is left after `deadlineMs`. Resolves
 * once no connection is open.
 */
export async function closeConnections(
  server: Server,
  every: Every,
  deadlineMs: number,
): Promise<void> {
  const stopTimer = every(deadlineMs, () => {
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeIdleConnections();
  });
  stopTimer();
}

/**
 * Waits for work at most so long, and returns whether it has ended; the work can ask whether it is late. Rejects where
 * it fails in time.
 */
export async function endsWithin(
  every: Every,
  deadlineMs: number,
  work: (isLate: () => boolean) => Promise<void>,
): Promise<boolean> {
  let isLate = false;
  let stopTimer = (): void => undefined;
  const late = new Promise<boolean>((resolve) => {
    stopTimer = every(deadlineMs, () => {
      isLate = true;
      resolve(false);
    });
  });
  try {
    return await Promise.race([work(() => isLate).then(() => true), late]);
  } finally {
    stopTimer();
  }
}
