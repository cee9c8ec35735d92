import { DAY_MS } from "../../base/index.ts";
import type { Row } from "../condition.ts";
import { LOOKBACK_DAYS } from "../fact.ts";
import { calendarOf, calendarSql, listed, type Relation } from "../relation.ts";
import { isSeen } from "./browse.ts";

const KINDS = ["email", "contact", "ad", "coupon"] as const;

/** What passed between shop and customer in the last 90 days besides looking and buying: e-mail, chats and calls, ads, coupons. */
export const touch: Relation = {
  name: "touch",
  scales: {},
  hasFirstAt: false,
  sql: (instants) => [
    [
      "touch",
      `SELECT customer_id${listed(instants.keys)}, kind, event, campaign, occurred_at_ms AS at_ms, ${calendarSql("occurred_at_ms", instants)}
       FROM ${instants.visible(KINDS, LOOKBACK_DAYS)}`,
    ],
  ],
  rows: (facts, cutoff) => {
    const since = cutoff - LOOKBACK_DAYS * DAY_MS;
    return facts
      .filter((fact) => KINDS.some((kind) => kind === fact.kind) && isSeen(fact, since, cutoff))
      .map(
        ({ kind, event, campaign, occurredAt }): Row => ({
          kind,
          event,
          campaign,
          at_ms: occurredAt,
          ...calendarOf(occurredAt),
        }),
      );
  },
};
