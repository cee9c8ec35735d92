import {
  type DerivedFeature,
  daysBefore,
  type FeatureView,
  gapFeatures,
  rowsWithin,
} from "../feature-view.ts";

/** How much a product sells, and lately. */
export const productSales: FeatureView = {
  name: "product_sales",
  entity: "product",
  relation: "pair_day",
  features: [
    {
      name: "product_sales",
      sql: "count(*)",
      unit: "count",
      meaning: "customer-days on which the product was bought, ever",
      whenUnknown: 0,
    },
    {
      name: "product_sales_28d",
      sql: rowsWithin(28),
      unit: "count",
      meaning: "customer-days on which it was bought in the last 28 days",
      whenUnknown: 0,
    },
    {
      name: "product_sales_84d",
      sql: rowsWithin(84),
      unit: "count",
      meaning: "customer-days on which it was bought in the last 84 days",
      whenUnknown: 0,
    },
    {
      name: "product_sales_year_ago_84d",
      sql: "sum(CASE WHEN day >= $today - 364 AND day < $today - 280 THEN 1 ELSE 0 END)",
      unit: "count",
      meaning:
        "customer-days on which it was bought in the 84 days that followed this date last year",
      whenUnknown: 0,
    },
    {
      name: "product_tenure_days",
      sql: daysBefore("min(first_at)"),
      unit: "days",
      meaning: "days since it was first sold",
      whenUnknown: null,
    },
    {
      name: "product_recency_days",
      sql: daysBefore("max(last_at)"),
      unit: "days",
      meaning: "days since it was last sold",
      whenUnknown: null,
    },
    {
      name: "product_price_mean",
      sql: "CAST(sum(amount) AS DOUBLE) / greatest(sum(quantity), 1e-9)",
      unit: "amount",
      meaning: "mean price paid",
      whenUnknown: null,
    },
  ],
};

/** How often people come back to a product. */
export const productRepeat: FeatureView = {
  name: "product_repeat",
  entity: "product",
  relation: "pair",
  features: [
    {
      name: "product_buyers",
      sql: "count(*)",
      unit: "count",
      meaning: "customers who bought it",
      whenUnknown: 0,
    },
    {
      name: "product_repeat_share",
      sql: "CAST(sum(CASE WHEN day_count > 1 THEN 1 ELSE 0 END) AS DOUBLE) / count(*)",
      unit: "share",
      meaning: "share of its customers who bought it on more than one day",
      whenUnknown: null,
    },
    {
      name: "product_frequency_mean",
      sql: "CAST(sum(day_count) AS DOUBLE) / count(*)",
      unit: "count",
      meaning: "mean days of purchase of a customer who bought it",
      whenUnknown: null,
    },
  ],
};

/** The population's rhythm of a product. */
export const productRhythm: FeatureView = {
  name: "product_rhythm",
  entity: "product",
  relation: "pair_gap",
  features: gapFeatures("product", "a customer's purchases of it").filter(
    (feature) => !feature.name.includes("_last_") && !feature.name.includes("_max_"),
  ),
};

/** Ratios of a product's own counts. */
export const productDerived: readonly DerivedFeature[] = [
  {
    entity: "product",
    name: "product_trend",
    sql: "CAST(product_sales_28d AS DOUBLE) / greatest(CAST(product_sales_84d AS DOUBLE) / 3, 1)",
    unit: "ratio",
    meaning: "sales of the last 28 days over the mean of the last three such spans",
    whenUnknown: null,
  },
  {
    entity: "product",
    name: "product_season",
    sql: "CAST(product_sales_year_ago_84d AS DOUBLE) / greatest(product_sales_84d, 1)",
    unit: "ratio",
    meaning: "sales of the 84 days to come, last year, over those of the last 84 days",
    whenUnknown: null,
  },
];
