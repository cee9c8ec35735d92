import { daysBefore, type FeatureView, gapFeatures, rowsWithin } from "../feature-view.ts";

/** Recency, frequency, monetary value and basket of a customer's orders. */
export const customerOrders: FeatureView = {
  name: "customer_orders",
  entity: "customer",
  relation: "customer_day",
  features: [
    {
      name: "customer_recency_days",
      sql: daysBefore("max(last_at)"),
      unit: "days",
      meaning: "days since the last order",
      whenUnknown: null,
    },
    {
      name: "customer_tenure_days",
      sql: daysBefore("min(first_at)"),
      unit: "days",
      meaning: "days since the first order",
      whenUnknown: null,
    },
    {
      name: "customer_frequency",
      sql: "count(*)",
      unit: "count",
      meaning: "days with an order, ever",
      whenUnknown: 0,
    },
    {
      name: "customer_frequency_30d",
      sql: rowsWithin(30),
      unit: "count",
      meaning: "days with an order in the last 30 days",
      whenUnknown: 0,
    },
    {
      name: "customer_frequency_90d",
      sql: rowsWithin(90),
      unit: "count",
      meaning: "days with an order in the last 90 days",
      whenUnknown: 0,
    },
    {
      name: "customer_frequency_365d",
      sql: rowsWithin(365),
      unit: "count",
      meaning: "days with an order in the last 365 days",
      whenUnknown: 0,
    },
    {
      name: "customer_monetary",
      sql: "CAST(sum(amount) AS DOUBLE)",
      unit: "amount",
      meaning: "net amount of all orders",
      whenUnknown: 0,
    },
    {
      name: "customer_monetary_90d",
      sql: `CAST(${rowsWithin(90, "amount")} AS DOUBLE)`,
      unit: "amount",
      meaning: "net amount of the last 90 days",
      whenUnknown: 0,
    },
    {
      name: "customer_order_amount_mean",
      sql: "CAST(sum(amount) AS DOUBLE) / count(*)",
      unit: "amount",
      meaning: "mean net amount of an order day",
      whenUnknown: null,
    },
    {
      name: "customer_basket_products_mean",
      sql: "CAST(sum(product_count) AS DOUBLE) / count(*)",
      unit: "count",
      meaning: "mean number of products on an order day",
      whenUnknown: null,
    },
    {
      name: "customer_basket_products_last",
      sql: "CAST(max_by(product_count, day) AS DOUBLE)",
      unit: "count",
      meaning: "number of products on the last order day",
      whenUnknown: null,
    },
  ],
};

/** The rhythm of a customer's orders. */
export const customerRhythm: FeatureView = {
  name: "customer_rhythm",
  entity: "customer",
  relation: "customer_gap",
  features: gapFeatures("customer", "order days"),
};

/** How much a customer buys again rather than anew. */
export const customerRepeat: FeatureView = {
  name: "customer_repeat",
  entity: "customer",
  relation: "pair",
  features: [
    {
      name: "customer_products",
      sql: "count(*)",
      unit: "count",
      meaning: "different products bought",
      whenUnknown: 0,
    },
    {
      name: "customer_repeat_share",
      sql: "CAST(sum(CASE WHEN day_count > 1 THEN 1 ELSE 0 END) AS DOUBLE) / count(*)",
      unit: "share",
      meaning: "share of the products that were bought on more than one day",
      whenUnknown: null,
    },
  ],
};

/** What a customer sent back or cancelled. */
export const customerRefunds: FeatureView = {
  name: "customer_refunds",
  entity: "customer",
  relation: "customer_refund",
  features: [
    {
      name: "customer_refund_days",
      sql: "count(*)",
      unit: "count",
      meaning: "days with a refund or cancellation",
      whenUnknown: 0,
    },
    {
      name: "customer_refund_recency_days",
      sql: daysBefore("max(last_at)"),
      unit: "days",
      meaning: "days since the last refund or cancellation",
      whenUnknown: null,
    },
  ],
};

/** A customer's browsing; every count is 0 where the shop sends no browsing events. */
export const customerBrowsing: FeatureView = {
  name: "customer_browsing",
  entity: "customer",
  relation: "browsing",
  features: [
    {
      name: "browsing_recency_days",
      sql: daysBefore("max(occurred_at_ms)"),
      unit: "days",
      meaning: "days since the last browsing event",
      whenUnknown: null,
    },
    {
      name: "browsing_events_1d",
      sql: rowsWithin(1),
      unit: "count",
      meaning: "browsing events of the last day",
      whenUnknown: 0,
    },
    {
      name: "browsing_events_7d",
      sql: rowsWithin(7),
      unit: "count",
      meaning: "browsing events of the last 7 days",
      whenUnknown: 0,
    },
    {
      name: "browsing_events_30d",
      sql: rowsWithin(30),
      unit: "count",
      meaning: "browsing events of the last 30 days",
      whenUnknown: 0,
    },
    {
      name: "browsing_days_30d",
      sql: "count(DISTINCT CASE WHEN day >= $today - 30 THEN day END)",
      unit: "count",
      meaning: "days with browsing in the last 30 days",
      whenUnknown: 0,
    },
    {
      name: "cart_adds_7d",
      sql: rowsWithin(7, "is_cart"),
      unit: "count",
      meaning: "products put in the cart in the last 7 days",
      whenUnknown: 0,
    },
    {
      name: "cart_add_recency_days",
      sql: daysBefore("max(CASE WHEN is_cart = 1 THEN occurred_at_ms END)"),
      unit: "days",
      meaning: "days since a product was last put in the cart",
      whenUnknown: null,
    },
    {
      name: "checkouts_7d",
      sql: rowsWithin(7, "is_checkout"),
      unit: "count",
      meaning: "checkouts begun in the last 7 days",
      whenUnknown: 0,
    },
  ],
};
