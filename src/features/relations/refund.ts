import { SCALE } from "../fact.ts";
import { calendarSql, listed, type Relation } from "../relation.ts";
import { seenOf } from "./browse.ts";

/** What a customer sent back or cancelled, whether or not its purchase is known. */
export const refund: Relation = {
  name: "refund",
  kinds: ["refund"],
  scales: { quantity: SCALE },
  hasFirstAt: false,
  onlyGrows: true,
  sql: (instants) => [
    [
      "refund",
      `SELECT customer_id${listed(instants.keys)}, product, category, quantity, occurred_at_ms AS at_ms, ${calendarSql("occurred_at_ms", instants)}
       FROM ${instants.visible(["refund"])}`,
    ],
  ],
  rows: (facts, cutoff) => seenOf(facts, ["refund"], cutoff),
};
