import { DAY_MS, literal } from "../base/index.ts";
import { EventName, REFUND_EVENTS } from "../collection/index.ts";

/**
 * SQL, for SQLite and DuckDB: whether a line is of an order or a refund. These stay at hand for good, and
 * have an index of their own, which SQLite takes where the condition is written exactly so.
 */
export const IS_ORDER_LINE = `event IN (${[EventName.orderCompleted, ...REFUND_EVENTS].map((name) => literal(name)).join(", ")})`;
export const IS_OTHER_LINE = `(event IS NULL OR NOT (${IS_ORDER_LINE}))`;

/** How many of the other lines of an identifier stay at hand whatever their age; the history has all. */
export const LINES_MIN = 1_000;
/** And how many at most. */
export const LINES_MAX = 20_000;
/** How much older than its newest line the other lines of an identifier may be and stay, in ms. */
export const LINES_AGE_MS = 90 * DAY_MS;

/** How many events of an identifier, a source and a channel come between two looks at what may go. */
export const EVENTS_BETWEEN_TRIMS = 100;
