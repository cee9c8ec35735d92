import type { Facts } from "./prediction-store.ts";

/** Groups of features that a repurchase answer is explained by: whose they are, by the beginning of their names. */
export const REPURCHASE_GROUPS = ["pair_", "customer_", "product_"] as const;

/** The facts that hold the groups' effects, in the order of the groups, and the typical pair's log odds. */
export const EFFECT_FACTS = ["effectOfPair", "effectOfCustomer", "effectOfProduct"] as const;
export const BASE_FACT = "typicalLogOdds";

/**
 * A reason for a probability. `effect` is what it adds to the log odds of a purchase within 4 weeks; the effects
 * and `typicalLogOdds` add up to the answer's. Null where a baseline answered.
 */
export interface Reason {
  readonly about: "rhythm" | "customer" | "product";
  readonly text: string;
  readonly effect: number | null;
}

/** The reasons behind a repurchase answer, the strongest first; those of which nothing is known are left out. */
export function reasonsOf(facts: Facts): Reason[] {
  const told = [
    { about: "rhythm", text: rhythmText(facts) },
    { about: "customer", text: customerText(facts) },
    { about: "product", text: productText(facts) },
  ] as const;
  return told
    .flatMap(({ about, text }, index) =>
      text === undefined ? [] : [{ about, text, effect: facts[EFFECT_FACTS[index] ?? ""] ?? null }],
    )
    .sort((a, b) => Math.abs(b.effect ?? 0) - Math.abs(a.effect ?? 0));
}

function rhythmText(facts: Facts): string | undefined {
  const last = facts["daysSinceLastBought"];
  if (last === null || last === undefined) {
    return undefined;
  }
  const ago = `last bought ${days(last)} ago`;
  const gap = facts["meanGapDays"];
  if (gap === null || gap === undefined) {
    return `bought once, ${days(last)} ago`;
  }
  const spread = facts["gapSpreadDays"];
  const around = spread === null || spread === undefined ? "" : ` ± ${Math.round(spread)}`;
  return `every ${Math.round(gap)}${around} days, ${ago}`;
}

function customerText(facts: Facts): string | undefined {
  const last = facts["daysSinceLastOrder"];
  if (last === null || last === undefined) {
    return undefined;
  }
  const gap = facts["meanOrderGapDays"];
  return gap === null || gap === undefined
    ? `ordered once, ${days(last)} ago`
    : `orders every ${days(gap)}, last ordered ${days(last)} ago`;
}

function productText(facts: Facts): string | undefined {
  const share = facts["productRepeatShare"];
  if (share === null || share === undefined) {
    return undefined;
  }
  const gap = facts["productMeanGapDays"];
  const pace = gap === null || gap === undefined ? "" : `, after ${days(gap)} on average`;
  return `${Math.round(100 * share)}% of its customers buy it again${pace}`;
}

function days(value: number): string {
  const whole = Math.round(value);
  return whole === 1 ? "1 day" : `${whole} days`;
}
