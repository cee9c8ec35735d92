import { DAY_MS } from "../../base/index.ts";
import { type Fact, type FactKind, LOOKBACK_DAYS } from "../fact.ts";
import { calendarSql, listed, type Relation } from "../relation.ts";

/** What a customer looked at in the last 90 days. */
export const browse: Relation = {
  name: "browse",
  kinds: ["browse"],
  scales: {},
  hasFirstAt: false,
  onlyGrows: false,
  sql: (instants) => [
    [
      "browse",
      `SELECT customer_id${listed(instants.keys)}, event, product, category, channel, campaign, device, occurred_at_ms AS at_ms,
              ${calendarSql("occurred_at_ms", instants)}
       FROM ${instants.visible(["browse"], LOOKBACK_DAYS)}`,
    ],
  ],
  rows: (facts, cutoff) => browsingOf(facts, cutoff),
  next: (fact) => fact,
};

/** The browsing that is visible at a cutoff. */
export function browsingOf(facts: readonly Fact[], cutoff: number): Fact[] {
  return seenOf(facts, ["browse"], cutoff, LOOKBACK_DAYS);
}

/** The facts of some kinds that had happened (in the last so many days) and were known before a cutoff. */
export function seenOf(
  facts: readonly Fact[],
  kinds: readonly FactKind[],
  cutoff: number,
  lookbackDays = Number.POSITIVE_INFINITY,
): Fact[] {
  const since = cutoff - lookbackDays * DAY_MS;
  return facts.filter(
    (fact) =>
      kinds.includes(fact.kind) &&
      fact.at_ms >= since &&
      fact.at_ms < cutoff &&
      fact.known_at_ms < cutoff,
  );
}
