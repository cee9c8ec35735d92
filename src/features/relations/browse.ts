import { DAY_MS } from "../../base/index.ts";
import type { Row } from "../condition.ts";
import { type Fact, LOOKBACK_DAYS } from "../fact.ts";
import { calendarOf, calendarSql, listed, type Relation } from "../relation.ts";

/** What a customer looked at in the last 90 days. */
export const browse: Relation = {
  name: "browse",
  scales: {},
  hasFirstAt: false,
  sql: (instants) => [
    [
      "browse",
      `SELECT customer_id${listed(instants.keys)}, event, product, category, channel, campaign, device, occurred_at_ms AS at_ms,
              ${calendarSql("occurred_at_ms", instants)}
       FROM ${instants.visible(["browse"], LOOKBACK_DAYS)}`,
    ],
  ],
  rows: (facts, cutoff) =>
    browsingOf(facts, cutoff).map(
      ({ event, product, category, channel, campaign, device, occurredAt }): Row => ({
        event,
        product,
        category,
        channel,
        campaign,
        device,
        at_ms: occurredAt,
        ...calendarOf(occurredAt),
      }),
    ),
};

/** The browsing that is visible at a cutoff. */
export function browsingOf(facts: readonly Fact[], cutoff: number): Fact[] {
  const since = cutoff - LOOKBACK_DAYS * DAY_MS;
  return facts.filter((fact) => fact.kind === "browse" && isSeen(fact, since, cutoff));
}

/** Whether a fact happened in [since, cutoff) and was known before the cutoff. */
export function isSeen(fact: Fact, since: number, cutoff: number): boolean {
  return fact.occurredAt >= since && fact.occurredAt < cutoff && fact.knownAt < cutoff;
}
