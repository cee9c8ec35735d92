import {
  type DerivedFeature,
  daysBefore,
  type FeatureView,
  gapFeatures,
  rowsWithin,
} from "../feature-view.ts";

/** A customer's purchases of one product. */
export const pairPurchases: FeatureView = {
  name: "pair_purchases",
  entity: "pair",
  relation: "pair_day",
  features: [
    {
      name: "pair_recency_days",
      sql: daysBefore("max(last_at)"),
      unit: "days",
      meaning: "days since the product was last bought",
      whenUnknown: null,
    },
    {
      name: "pair_tenure_days",
      sql: daysBefore("min(first_at)"),
      unit: "days",
      meaning: "days since the product was first bought",
      whenUnknown: null,
    },
    {
      name: "pair_frequency",
      sql: "count(*)",
      unit: "count",
      meaning: "days on which the product was bought, ever",
      whenUnknown: 0,
    },
    {
      name: "pair_frequency_90d",
      sql: rowsWithin(90),
      unit: "count",
      meaning: "days on which the product was bought in the last 90 days",
      whenUnknown: 0,
    },
    {
      name: "pair_frequency_365d",
      sql: rowsWithin(365),
      unit: "count",
      meaning: "days on which the product was bought in the last 365 days",
      whenUnknown: 0,
    },
    {
      name: "pair_quantity_mean",
      sql: "sum(quantity) / count(*)",
      unit: "quantity",
      meaning: "mean quantity on a day it was bought",
      whenUnknown: null,
    },
    {
      name: "pair_quantity_last",
      sql: "max_by(quantity, day)",
      unit: "quantity",
      meaning: "quantity bought last",
      whenUnknown: null,
    },
    {
      name: "pair_monetary",
      sql: "CAST(sum(amount) AS DOUBLE)",
      unit: "amount",
      meaning: "net amount spent on the product",
      whenUnknown: 0,
    },
  ],
};

/** The rhythm in which a customer buys one product. */
export const pairRhythm: FeatureView = {
  name: "pair_rhythm",
  entity: "pair",
  relation: "pair_gap",
  features: gapFeatures("pair", "purchases of the product"),
};

/** What follows from a pair's and its customer's features together. */
export const pairDerived: readonly DerivedFeature[] = [
  {
    entity: "pair",
    name: "pair_overdue_ratio",
    sql: "pair_recency_days / greatest(pair_gap_mean_days, 1)",
    unit: "ratio",
    meaning: "silence over the mean gap: above 1 is later than usual",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_product_overdue_ratio",
    sql: "pair_recency_days / greatest(product_gap_mean_days, 1)",
    unit: "ratio",
    meaning: "silence over the mean gap that all customers leave between purchases of the product",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_gap_left_days",
    sql: "pair_gap_median_days - pair_recency_days",
    unit: "days",
    meaning: "days until the median gap is over; negative when overdue",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_gap_variation",
    sql: "pair_gap_std_days / greatest(pair_gap_mean_days, 1)",
    unit: "ratio",
    meaning: "coefficient of variation of the gaps: near 0 is regular",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_order_share",
    sql: "CAST(pair_frequency AS DOUBLE) / greatest(customer_frequency, 1)",
    unit: "share",
    meaning: "share of the customer's order days that held the product",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "pair_orders_skipped",
    sql: "customer_frequency - pair_last_order_number",
    unit: "count",
    meaning: "order days of the customer since the product was last bought",
    whenUnknown: null,
  },
  {
    entity: "pair",
    name: "customer_overdue_ratio",
    sql: "customer_recency_days / greatest(customer_gap_mean_days, 1)",
    unit: "ratio",
    meaning: "the customer's silence over the mean gap between order days",
    whenUnknown: null,
  },
];

/** Where in the customer's sequence of order days the product was last bought. */
export const pairOrderNumbers: FeatureView = {
  name: "pair_order_numbers",
  entity: "pair",
  relation: "pair_order",
  features: [
    {
      name: "pair_last_order_number",
      sql: "max(order_number)",
      unit: "count",
      meaning: "number of the order day that last held the product",
      whenUnknown: null,
    },
    {
      name: "pair_share_last_5_orders",
      sql: "CAST(sum(CASE WHEN order_number > customer_order_count - 5 THEN 1 ELSE 0 END) AS DOUBLE) / least(5, max(customer_order_count))",
      unit: "share",
      meaning: "share of the customer's last five order days that held the product",
      whenUnknown: null,
    },
  ],
};
