import { is, isWithin } from "../condition.ts";
import { atLeast, ratio, times } from "../expression.ts";
import {
  count,
  type DerivedFeature,
  daysSinceFirst,
  daysSinceLast,
  type FeatureView,
  gapFeatures,
  perWindow,
  share,
  spoken,
  sum,
  value,
} from "../feature-view.ts";

const WINDOWS = ["7d", "30d", "90d", "365d"] as const;

/** Recency, frequency, monetary value, basket and rhythm of a customer's days with an order. */
export const customerOrders: FeatureView = {
  name: "customer_orders",
  entity: "customer",
  relation: "purchase",
  per: ["day", "weekday"],
  measures: [
    { name: "amount", kind: "sum", of: "amount" },
    { name: "quantity", kind: "sum", of: "quantity" },
  ],
  gap: "day",
  features: [
    daysSinceLast({ name: "customer_recency_days", meaning: "days since the last order" }),
    daysSinceFirst({ name: "customer_tenure_days", meaning: "days since the first order" }),
    count({ name: "customer_frequency", meaning: "days with an order, ever" }),
    ...perWindow(WINDOWS, (within) =>
      count(
        {
          name: `customer_frequency_${within}`,
          meaning: `days with an order in the ${spoken(within)}`,
        },
        { within },
      ),
    ),
    sum(
      { name: "customer_monetary", unit: "amount", meaning: "net amount of all orders" },
      "amount",
    ),
    ...perWindow(WINDOWS, (within) =>
      sum(
        {
          name: `customer_monetary_${within}`,
          unit: "amount",
          meaning: `net amount of the orders of the ${spoken(within)}`,
        },
        "amount",
        { within },
      ),
    ),
    sum(
      { name: "customer_quantity", unit: "quantity", meaning: "pieces bought and kept, ever" },
      "quantity",
    ),
    value(
      "mean",
      {
        name: "customer_order_amount_mean",
        unit: "amount",
        meaning: "mean net amount of an order day",
      },
      "amount",
    ),
    value(
      "maximum",
      {
        name: "customer_order_amount_max",
        unit: "amount",
        meaning: "greatest net amount of an order day",
      },
      "amount",
    ),
    value(
      "last",
      {
        name: "customer_order_amount_last",
        unit: "amount",
        meaning: "net amount of the last order day",
      },
      "amount",
    ),
    value(
      "mean",
      {
        name: "customer_basket_products_mean",
        unit: "count",
        meaning: "mean number of products on an order day",
      },
      "n",
    ),
    value(
      "last",
      {
        name: "customer_basket_products_last",
        unit: "count",
        meaning: "number of products on the last order day",
      },
      "n",
    ),
    value(
      "mean",
      {
        name: "customer_basket_quantity_mean",
        unit: "quantity",
        meaning: "mean number of pieces on an order day",
      },
      "quantity",
    ),
    share(
      {
        name: "customer_weekend_share",
        meaning: "share of the order days that are Saturday or Sunday",
      },
      isWithin("weekday", 5, 7),
    ),
    ...gapFeatures("customer", "order days"),
  ],
};

/** When and where a customer buys. */
export const customerOrderHabits: FeatureView = {
  name: "customer_order_habits",
  entity: "customer",
  relation: "purchase",
  features: [
    share(
      { name: "customer_morning_share", meaning: "share of the purchases between 6 and 12 UTC" },
      isWithin("hour", 6, 12),
    ),
    share(
      { name: "customer_evening_share", meaning: "share of the purchases between 18 and 24 UTC" },
      isWithin("hour", 18, 24),
    ),
    share(
      { name: "customer_store_share", meaning: "share of the purchases made in a store" },
      is("channel", "store"),
    ),
  ],
};

/** How much a customer buys again rather than anew. */
export const customerRepeat: FeatureView = {
  name: "customer_repeat",
  entity: "customer",
  relation: "purchase",
  per: ["product"],
  features: [
    count({ name: "customer_products", meaning: "different products bought" }),
    count(
      { name: "customer_products_90d", meaning: "different products bought in the last 90 days" },
      { within: "90d" },
    ),
    share(
      {
        name: "customer_repeat_share",
        meaning: "share of the products that were bought on more than one day",
      },
      isWithin("n", 2, Number.MAX_SAFE_INTEGER),
    ),
  ],
};

/** How wide a customer buys. */
export const customerCategories: FeatureView = {
  name: "customer_categories",
  entity: "customer",
  relation: "purchase",
  per: ["category"],
  features: [count({ name: "customer_categories", meaning: "different categories bought from" })],
};

/** What a customer sent back or cancelled. */
export const customerRefunds: FeatureView = {
  name: "customer_refunds",
  entity: "customer",
  relation: "refund",
  per: ["day"],
  measures: [{ name: "quantity", kind: "sum", of: "quantity" }],
  features: [
    count({ name: "customer_refund_days", meaning: "days with a refund or cancellation" }),
    count(
      {
        name: "customer_refund_days_365d",
        meaning: "days with a refund or cancellation in the last 365 days",
      },
      { within: "365d" },
    ),
    sum(
      {
        name: "customer_refund_quantity",
        unit: "quantity",
        meaning: "pieces sent back or cancelled, ever",
      },
      "quantity",
    ),
    daysSinceLast({
      name: "customer_refund_recency_days",
      meaning: "days since the last refund or cancellation",
    }),
  ],
};

/** What follows from a customer's own features. */
export const customerDerived: readonly DerivedFeature[] = [
  {
    entity: "customer",
    name: "customer_overdue_ratio",
    expression: ratio("customer_recency_days", atLeast("customer_gap_mean_days", 1)),
    unit: "ratio",
    meaning: "the customer's silence over the mean gap between order days",
    whenUnknown: null,
  },
  {
    entity: "customer",
    name: "customer_gap_variation",
    expression: ratio("customer_gap_std_days", atLeast("customer_gap_mean_days", 1)),
    unit: "ratio",
    meaning: "coefficient of variation of the gaps between order days: near 0 is regular",
    whenUnknown: null,
  },
  {
    entity: "customer",
    name: "customer_frequency_trend",
    expression: ratio(times("customer_frequency_90d", 365 / 90), "customer_frequency_365d"),
    unit: "ratio",
    meaning: "order days of the last 90 days, as of a year, over those of the last 365 days",
    whenUnknown: null,
  },
  {
    entity: "customer",
    name: "customer_monetary_trend",
    expression: ratio(times("customer_monetary_90d", 365 / 90), "customer_monetary_365d"),
    unit: "ratio",
    meaning: "amount of the last 90 days, as of a year, over that of the last 365 days",
    whenUnknown: null,
  },
  {
    entity: "customer",
    name: "customer_refund_share",
    expression: ratio("customer_refund_quantity", "customer_quantity"),
    unit: "ratio",
    meaning: "pieces sent back over pieces kept",
    whenUnknown: null,
  },
];
