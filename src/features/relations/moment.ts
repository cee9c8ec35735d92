import type { Row } from "../condition.ts";
import { type Fact, LOOKBACK_DAYS, SCALE } from "../fact.ts";
import { listed, type Relation } from "../relation.ts";
import { browsingOf } from "./browse.ts";

/**
 * The instants of the last 90 days at which a customer looked at something: events that carry the same time
 * (a whole list, or a whole basket) are one row, with how many there were and the sum of their prices.
 */
export const moment: Relation = {
  name: "moment",
  kinds: ["browse"],
  scales: { value: SCALE },
  hasFirstAt: false,
  onlyGrows: false,
  sql: (instants) => {
    const more = listed(instants.keys);
    const { dialect } = instants;
    const named = (name: string): string =>
      `count(CASE WHEN event = ${dialect.text(name)} THEN 1 END)`;
    return [
      [
        "moment",
        `SELECT customer_id${more}, occurred_at_ms AS at_ms, count(*) AS events, ${named(CARTED)} AS carts, ${named(CHECKOUT)} AS checkouts,
                CAST(sum(CASE WHEN price > 0 AND price < ${PRICE_MAX} THEN CAST(round(price * ${SCALE}) AS BIGINT) ELSE 0 END) AS BIGINT) AS value
         FROM ${instants.visible(["browse"], LOOKBACK_DAYS)} GROUP BY customer_id${more}, occurred_at_ms`,
      ],
    ];
  },
  rows: (facts, cutoff) => {
    const rows: Moment[] = [];
    for (const fact of browsingOf(facts, cutoff)) {
      const last = rows.at(-1);
      const one = momentOf(fact);
      if (last?.at_ms === one.at_ms) {
        last.events += one.events;
        last.carts += one.carts;
        last.checkouts += one.checkouts;
        last.value += one.value;
      } else {
        rows.push(one);
      }
    }
    return rows satisfies Row[];
  },
  next: (fact, before) => (before.at(-1)?.["at_ms"] === fact.at_ms ? undefined : momentOf(fact)),
};

function momentOf({ event, at_ms, price }: Fact): Moment {
  const isPriced = price !== null && price > 0 && price < PRICE_MAX;
  return {
    at_ms,
    events: 1,
    carts: event === CARTED ? 1 : 0,
    checkouts: event === CHECKOUT ? 1 : 0,
    value: isPriced ? Math.round(price * SCALE) : 0,
  };
}

/** What costs more is no price. */
const PRICE_MAX = 1e9;

const CARTED = "Product Added";
const CHECKOUT = "Checkout Started";

// A type, not an interface, so that it is a Row.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
type Moment = {
  at_ms: number;
  events: number;
  carts: number;
  checkouts: number;
  value: number;
};
