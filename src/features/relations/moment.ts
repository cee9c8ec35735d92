import type { Row } from "../condition.ts";
import { LOOKBACK_DAYS, SCALE } from "../fact.ts";
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
    for (const { event, at_ms, price } of browsingOf(facts, cutoff)) {
      let last = rows.at(-1);
      if (last?.at_ms !== at_ms) {
        last = { at_ms, events: 0, carts: 0, checkouts: 0, value: 0 };
        rows.push(last);
      }
      last.events++;
      last.carts += event === CARTED ? 1 : 0;
      last.checkouts += event === CHECKOUT ? 1 : 0;
      last.value +=
        price !== null && price > 0 && price < PRICE_MAX ? Math.round(price * SCALE) : 0;
    }
    return rows satisfies Row[];
  },
};

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
