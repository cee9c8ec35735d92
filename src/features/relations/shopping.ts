import { LOOKBACK_DAYS } from "../fact.ts";
import { calendarSql, listed, type Relation } from "../relation.ts";
import { seenOf } from "./browse.ts";

const KINDS = ["browse", "order"] as const;

/** Looking and buying of the last 90 days in one, for what is between them: carts that nobody paid. */
export const shopping: Relation = {
  name: "shopping",
  kinds: KINDS,
  scales: {},
  hasFirstAt: false,
  onlyGrows: false,
  sql: (instants) => [
    [
      "shopping",
      `SELECT customer_id${listed(instants.keys)}, event, product, category, occurred_at_ms AS at_ms, ${calendarSql("occurred_at_ms", instants)}
       FROM ${instants.visible(KINDS, LOOKBACK_DAYS)}`,
    ],
  ],
  rows: (facts, cutoff) => seenOf(facts, KINDS, cutoff, LOOKBACK_DAYS),
  next: (fact) => fact,
};
