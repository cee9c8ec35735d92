import { is, isWithin } from "../condition.ts";
import { atLeast, atMost, difference, ratio } from "../expression.ts";
import {
  count,
  type DerivedFeature,
  daysSinceFirst,
  daysSinceLast,
  type FeatureView,
  gapFeatures,
  perWindow,
  spoken,
  sum,
  value,
} from "../feature-view.ts";
import { VIEWED } from "./browsing.ts";

/** A customer's days of purchase of one product, and their rhythm. */
export const pairPurchases: FeatureView = {
  name: "pair_purchases",
  entity: "pair",
  relation: "numbered_purchase",
  gap: "day",
  features: [
    daysSinceLast({ name: "pair_recency_days", meaning: "days since the product was last bought" }),
    daysSinceFirst({
      name: "pair_tenure_days",
      meaning: "days since the product was first bought",
    }),
    count({ name: "pair_frequency", meaning: "days on which the product was bought, ever" }),
    ...perWindow(["30d", "60d", "90d", "180d", "365d"], (within) =>
      count(
        {
          name: `pair_frequency_${within}`,
          meaning: `days on which the product was bought in the ${spoken(within)}`,
        },
        { within },
      ),
    ),
    value(
      "mean",
      {
        name: "pair_quantity_mean",
        unit: "quantity",
        meaning: "mean quantity on a day it was bought",
      },
      "quantity",
    ),
    value(
      "last",
      { name: "pair_quantity_last", unit: "quantity", meaning: "quantity bought last" },
      "quantity",
    ),
    sum(
      {
        name: "pair_quantity",
        unit: "quantity",
        meaning: "pieces of the product bought and kept, ever",
      },
      "quantity",
    ),
    sum(
      { name: "pair_monetary", unit: "amount", meaning: "net amount spent on the product" },
      "amount",
    ),
    value(
      "last",
      { name: "pair_amount_last", unit: "amount", meaning: "net amount spent on the product last" },
      "amount",
    ),
    value(
      "maximum",
      {
        name: "pair_last_order_number",
        unit: "count",
        meaning: "number of the order day that last held the product",
      },
      "order_number",
    ),
    value(
      "minimum",
      {
        name: "pair_orders_skipped",
        unit: "count",
        meaning: "order days of the customer since the product was last bought",
      },
      "orders_after",
    ),
    ...[1, 2, 10, 20].map((orders) =>
      count(
        {
          name: `pair_frequency_${orders}_orders`,
          meaning:
            orders === 1
              ? "whether the customer's last order day held the product"
              : `how many of the customer's last ${orders} order days held the product`,
        },
        { where: isWithin("orders_after", 0, orders) },
      ),
    ),
    value(
      "mean",
      {
        name: "pair_gap_mean_orders",
        unit: "count",
        meaning:
          "mean number of the customer's order days from one purchase of the product to the next",
      },
      "orders_since",
    ),
    value(
      "maximum",
      {
        name: "pair_gap_max_orders",
        unit: "count",
        meaning: "most order days of the customer from one purchase of the product to the next",
      },
      "orders_since",
    ),
    count(
      {
        name: "pair_frequency_5_orders",
        meaning: "how many of the customer's last five order days held the product",
      },
      { where: isWithin("orders_after", 0, 5) },
    ),
    ...gapFeatures("pair", "purchases of the product"),
  ],
};

/** How a customer looks at one product. */
export const pairBrowsing: FeatureView = {
  name: "pair_browsing",
  entity: "pair",
  relation: "browse",
  features: [
    ...perWindow(["1d", "7d", "30d", "90d"], (within) =>
      count(
        {
          name: `pair_views_${within}`,
          meaning: `times the product was looked at in the ${spoken(within)}`,
        },
        { within, where: VIEWED },
      ),
    ),
    ...perWindow(["1d", "7d", "30d"], (within) =>
      count(
        {
          name: `pair_cart_adds_${within}`,
          meaning: `times the product was put in the cart in the ${spoken(within)}`,
        },
        { within, where: is("event", "Product Added") },
      ),
    ),
    daysSinceLast(
      { name: "pair_view_recency_days", meaning: "days since the product was last looked at" },
      VIEWED,
    ),
    daysSinceLast(
      {
        name: "pair_cart_add_recency_days",
        meaning: "days since the product was last put in the cart",
      },
      is("event", "Product Added"),
    ),
  ],
};

/**
 * Days that the last quantity should last: as many pieces as were bought before it lasted from the first
 * purchase to the last one. Unknown while the product was bought once.
 */
const SUPPLY_DAYS = ratio(
  difference("pair_tenure_days", "pair_recency_days"),
  ratio(difference("pair_quantity", "pair_quantity_last"), "pair_quantity_last"),
);

/** What follows from a pair's, its customer's and its product's features together. */
export const pairDerived: readonly DerivedFeature[] = [
  {
    entity: "pair",
    name: "pair_overdue_ratio",
    expression: ratio("pair_recency_days", atLeast("pair_gap_mean_days", 1)),
    unit: "ratio",
    meaning: "silence over the mean gap: above 1 is later than usual",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_product_overdue_ratio",
    expression: ratio("pair_recency_days", atLeast("product_gap_mean_days", 1)),
    unit: "ratio",
    meaning: "silence over the mean gap that all customers leave between purchases of the product",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_overdue_orders_ratio",
    expression: ratio("pair_orders_skipped", atLeast("pair_gap_mean_orders", 1)),
    unit: "ratio",
    meaning:
      "order days without the product over the mean number from one purchase of it to the next",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_supply_overdue_ratio",
    expression: ratio("pair_recency_days", atLeast(SUPPLY_DAYS, 1)),
    unit: "ratio",
    meaning:
      "silence over the days that the last quantity should last, at the pace at which earlier ones were used up",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_gap_left_days",
    expression: difference("pair_gap_median_days", "pair_recency_days"),
    unit: "days",
    meaning: "days until the median gap is over; negative when overdue",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_gap_variation",
    expression: ratio("pair_gap_std_days", atLeast("pair_gap_mean_days", 1)),
    unit: "ratio",
    meaning: "coefficient of variation of the gaps: near 0 is regular",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_order_share",
    expression: ratio("pair_frequency", "customer_frequency"),
    unit: "share",
    meaning: "share of the customer's order days that held the product",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_share_last_5_orders",
    expression: ratio("pair_frequency_5_orders", atMost("customer_frequency", 5)),
    unit: "share",
    meaning: "share of the customer's last five order days that held the product",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_price_ratio",
    expression: ratio(ratio("pair_amount_last", "pair_quantity_last"), "product_price_mean"),
    unit: "ratio",
    meaning: "price paid last over the mean price that all customers paid: below 1 was a discount",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_price_change_ratio",
    expression: ratio("product_price_mean_28d", ratio("pair_amount_last", "pair_quantity_last")),
    unit: "ratio",
    meaning:
      "mean price that all customers paid in the last 28 days over the price paid last: above 1 has become dearer",
    whenUnknown: null,
  },
];
