import { listed, type Relation } from "../relation.ts";
import { purchase } from "./purchase.ts";

/**
 * Purchases with their place among the customer's days with an order: `order_number` counts these from 1,
 * `orders_after` those that came later.
 */
export const numberedPurchase: Relation = {
  name: "numbered_purchase",
  kinds: purchase.kinds,
  scales: purchase.scales,
  hasFirstAt: true,
  onlyGrows: false,
  sql: (instants) => {
    const key = `customer_id${listed(instants.keys)}`;
    return [
      ...purchase.sql(instants),
      [
        "ordinal_purchase",
        `SELECT *, dense_rank() OVER (PARTITION BY ${key} ORDER BY day) AS order_number FROM purchase`,
      ],
      [
        "numbered_purchase",
        `SELECT *, max(order_number) OVER (PARTITION BY ${key}) - order_number AS orders_after FROM ordinal_purchase`,
      ],
    ];
  },
  rows: (facts, cutoff) => {
    const rows = purchase.rows(facts, cutoff);
    const days = [...new Set(rows.map((row) => Number(row["day"])))].sort((a, b) => a - b);
    const numbers = new Map(days.map((day, index) => [day, index + 1]));
    return rows.map((row) => {
      const number = numbers.get(Number(row["day"])) ?? 0;
      return { ...row, order_number: number, orders_after: days.length - number };
    });
  },
};
