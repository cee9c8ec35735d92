import { LOOKBACK_DAYS } from "../fact.ts";
import { calendarSql, listed, type Relation } from "../relation.ts";
import { seenOf } from "./browse.ts";

const KINDS = ["email", "contact", "ad", "coupon"] as const;

/** What passed between shop and customer in the last 90 days besides looking and buying: e-mail, chats and calls, ads, coupons. */
export const touch: Relation = {
  name: "touch",
  kinds: KINDS,
  scales: {},
  hasFirstAt: false,
  onlyGrows: false,
  sql: (instants) => [
    [
      "touch",
      `SELECT customer_id${listed(instants.keys)}, kind, event, campaign, occurred_at_ms AS at_ms, ${calendarSql("occurred_at_ms", instants)}
       FROM ${instants.visible(KINDS, LOOKBACK_DAYS)}`,
    ],
  ],
  rows: (facts, cutoff) => seenOf(facts, KINDS, cutoff, LOOKBACK_DAYS),
  next: (fact) => fact,
};
