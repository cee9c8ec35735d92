import { type Clock, DAY_MS, type Store } from "../base/index.ts";
import { historySummary } from "./history-store.ts";
import { hasLiveEvents } from "./retention-store.ts";

/** The instant that counts as now (epoch ms): the end of the day on which the data end, or now if that is earlier. */
export function defaultAsOf(store: Store, clock: Clock): number {
  const last = historySummary(store).lastKnownAt;
  const now = clock.now();
  return last === null ? now : Math.min(now, Math.floor(last / DAY_MS) * DAY_MS + DAY_MS);
}

/**
 * The instant as of which one customer is answered for (epoch ms): just after now, so that an event that was
 * answered counts; where a store was only ever filled from files, the end of its data.
 */
export function servingAsOf(store: Store, clock: Clock): number {
  return hasLiveEvents(store) ? clock.now() + 1 : defaultAsOf(store, clock);
}
