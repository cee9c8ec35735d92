import { literal } from "../base/index.ts";
import { REFUND_EVENTS } from "./event-names.ts";

/** SQL over the history's columns: whether a row takes goods back. */
export const IS_REFUND = `coalesce(event, '') IN (${REFUND_EVENTS.map((name) => literal(name)).join(", ")})`;
