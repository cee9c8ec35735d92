import { DAY_MS } from "../../base/index.ts";
import type { Row } from "../condition.ts";
import { LOOKBACK_DAYS } from "../fact.ts";
import { calendarOf, calendarSql, listed, type Relation } from "../relation.ts";
import { isSeen } from "./browse.ts";

/** Looking and buying of the last 90 days in one, for what is between them: carts that nobody paid. */
export const shopping: Relation = {
  name: "shopping",
  scales: {},
  hasFirstAt: false,
  sql: (instants) => [
    [
      "shopping",
      `SELECT customer_id${listed(instants.keys)}, event, product, category, occurred_at_ms AS at_ms, ${calendarSql("occurred_at_ms", instants)}
       FROM ${instants.visible(["browse", "order"], LOOKBACK_DAYS)}`,
    ],
  ],
  rows: (facts, cutoff) => {
    const since = cutoff - LOOKBACK_DAYS * DAY_MS;
    return facts
      .filter(
        (fact) => (fact.kind === "browse" || fact.kind === "order") && isSeen(fact, since, cutoff),
      )
      .map(
        ({ event, product, category, occurredAt }): Row => ({
          event,
          product,
          category,
          at_ms: occurredAt,
          ...calendarOf(occurredAt),
        }),
      );
  },
};
