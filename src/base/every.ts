/** Calls the work again and again, `intervalMs` apart; the returned function ends it. An argument, so that tests decide when. */
export type Every = (intervalMs: number, work: () => void) => () => void;

/** The machine's timer; it keeps no process alive. */
export const systemEvery: Every = (intervalMs, work) => {
  const timer = setInterval(work, intervalMs).unref();
  return () => {
    clearInterval(timer);
  };
};
