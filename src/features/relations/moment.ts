import type { Row } from "../condition.ts";
import { LOOKBACK_DAYS } from "../fact.ts";
import { listed, type Relation } from "../relation.ts";
import { browsingOf } from "./browse.ts";

/**
 * The instants of the last 90 days at which a customer looked at something: events that carry the same time
 * (a whole list, or a whole basket) are one row, with how many there were.
 */
export const moment: Relation = {
  name: "moment",
  kinds: ["browse"],
  scales: {},
  hasFirstAt: false,
  sql: (instants) => {
    const more = listed(instants.keys);
    const { dialect } = instants;
    const named = (name: string): string =>
      `count(CASE WHEN event = ${dialect.text(name)} THEN 1 END)`;
    return [
      [
        "moment",
        `SELECT customer_id${more}, occurred_at_ms AS at_ms, count(*) AS events, ${named(CARTED)} AS carts, ${named(CHECKOUT)} AS checkouts
         FROM ${instants.visible(["browse"], LOOKBACK_DAYS)} GROUP BY customer_id${more}, occurred_at_ms`,
      ],
    ];
  },
  rows: (facts, cutoff) => {
    const rows: Moment[] = [];
    for (const { event, at_ms } of browsingOf(facts, cutoff)) {
      let last = rows.at(-1);
      if (last?.at_ms !== at_ms) {
        last = { at_ms, events: 0, carts: 0, checkouts: 0 };
        rows.push(last);
      }
      last.events++;
      last.carts += event === CARTED ? 1 : 0;
      last.checkouts += event === CHECKOUT ? 1 : 0;
    }
    return rows satisfies Row[];
  },
};

const CARTED = "Product Added";
const CHECKOUT = "Checkout Started";

// A type, not an interface, so that it is a Row.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
type Moment = { at_ms: number; events: number; carts: number; checkouts: number };
