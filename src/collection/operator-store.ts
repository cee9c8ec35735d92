import { type Clock, ServiceError, type Store } from "../base/index.ts";
import { createCollector } from "./collect.ts";
import { addSource } from "./history-store.ts";
import { segmentMapping } from "./mapping.ts";

/** The source of what operators enter by hand. */
const OPERATOR = "operator";

/**
 * Records a call that an operator makes for somebody, as live collection would: it is history like
 * everything else. Throws `invalid-input` with the field at fault where it is refused.
 */
export async function recordByOperator(store: Store, clock: Clock, call: object): Promise<void> {
  addSource(store, OPERATOR, JSON.stringify(segmentMapping(OPERATOR)), clock.now());
  const [result] = await createCollector(store, clock).collect({
    source: OPERATOR,
    calls: [{ ...call, timestamp: new Date(clock.now()).toISOString() }],
  });
  if (result?.status === "rejected") {
    const field = result.field ?? "event";
    throw new ServiceError("invalid-input", `${field}: ${result.reason ?? "refused"}`, { field });
  }
}
