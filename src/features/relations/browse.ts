import { DAY_MS } from "../../base/index.ts";
import type { Row } from "../condition.ts";
import { type Fact, LOOKBACK_DAYS } from "../fact.ts";
import { calendarOf, calendarSql, listed, type Relation } from "../relation.ts";

/** A session ends where nothing is looked at for longer than this, as Google Analytics has it. */
export const SESSION_SILENCE_MS = 1_800_000;

/** What a customer looked at in the last 90 days; `session` numbers sessions from 1. */
export const browse: Relation = {
  name: "browse",
  scales: {},
  hasFirstAt: false,
  sql: (instants) => {
    const key = `customer_id${listed(instants.keys)}`;
    return [
      [
        "browse_event",
        `SELECT ${key}, event, product, category, channel, campaign, device, occurred_at_ms AS at_ms,
                occurred_at_ms - lag(occurred_at_ms) OVER (PARTITION BY ${key} ORDER BY occurred_at_ms) AS silence
         FROM ${instants.visible(["browse"], LOOKBACK_DAYS)}`,
      ],
      [
        "browse",
        // The default frame takes all rows of the same instant together, so their order does not matter.
        `SELECT ${key}, event, product, category, channel, campaign, device, at_ms, ${calendarSql("at_ms", instants)},
                sum(CASE WHEN silence <= ${SESSION_SILENCE_MS} THEN 0 ELSE 1 END) OVER (PARTITION BY ${key} ORDER BY at_ms) AS session
         FROM browse_event`,
      ],
    ];
  },
  rows: (facts, cutoff) => {
    const since = cutoff - LOOKBACK_DAYS * DAY_MS;
    const seen = facts
      .filter((fact) => fact.kind === "browse" && isSeen(fact, since, cutoff))
      .sort((a, b) => a.occurredAt - b.occurredAt);
    let session = 0;
    let before = Number.NEGATIVE_INFINITY;
    return seen.map((fact): Row => {
      if (fact.occurredAt - before > SESSION_SILENCE_MS) {
        session++;
      }
      before = fact.occurredAt;
      const { event, product, category, channel, campaign, device, occurredAt } = fact;
      return {
        event,
        product,
        category,
        channel,
        campaign,
        device,
        at_ms: occurredAt,
        session,
        ...calendarOf(occurredAt),
      };
    });
  },
};

/** Whether a fact happened in [since, cutoff) and was known before the cutoff. */
export function isSeen(fact: Fact, since: number, cutoff: number): boolean {
  return fact.occurredAt >= since && fact.occurredAt < cutoff && fact.knownAt < cutoff;
}
