import { listed, type Relation } from "../relation.ts";
import { purchase } from "./purchase.ts";

/**
 * Purchases with their place among the customer's days with an order: `order_number` counts these from 1,
 * `orders_after` those that came later. `purchase_number` counts the customer's days of the product from 1,
 * `orders_since` the days with an order from the one before to this one; null on the first.
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
        `SELECT *, max(order_number) OVER (PARTITION BY ${key}) - order_number AS orders_after,
           row_number() OVER (PARTITION BY ${key}, product ORDER BY day) AS purchase_number,
           order_number - lag(order_number) OVER (PARTITION BY ${key}, product ORDER BY day) AS orders_since
         FROM ordinal_purchase`,
      ],
    ];
  },
  rows: (facts, cutoff) => {
    const rows = purchase.rows(facts, cutoff);
    const days = [...new Set(rows.map((row) => Number(row["day"])))].sort((a, b) => a - b);
    const numbers = new Map(days.map((day, index) => [day, index + 1]));
    const before = new Map<unknown, { readonly order: number; readonly purchase: number }>();
    return rows.map((row) => {
      const order = numbers.get(Number(row["day"])) ?? 0;
      const last = before.get(row["product"]);
      const purchase = (last?.purchase ?? 0) + 1;
      before.set(row["product"], { order, purchase });
      return {
        ...row,
        order_number: order,
        orders_after: days.length - order,
        purchase_number: purchase,
        orders_since: last === undefined ? null : order - last.order,
      };
    });
  },
};
