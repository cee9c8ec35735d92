import { is, isWithin } from "../condition.ts";
import { atLeast, difference, ratio, times } from "../expression.ts";
import {
  count,
  type DerivedFeature,
  daysSinceFirst,
  daysSinceLast,
  type FeatureView,
  gapFeatures,
  perWindow,
  share,
  shareOfAll,
  spoken,
  sum,
  value,
} from "../feature-view.ts";
import { VIEWED } from "./browsing.ts";

/** How much a product sells, and lately, and in which rhythm, as known at the start of the day. */
export const productSales: FeatureView = {
  name: "product_sales",
  entity: "product",
  relation: "purchase",
  gap: "day",
  gapWithin: ["customer_id"],
  features: [
    count({
      name: "product_sales",
      meaning: "customer-days on which the product was bought, ever",
    }),
    ...perWindow(["7d", "28d", "84d", "280d", "364d"], (within) =>
      count(
        {
          name: `product_sales_${within}`,
          meaning: `customer-days on which it was bought in the ${spoken(within)}`,
        },
        { within },
      ),
    ),
    ...perWindow(["28d", "84d"], (within) =>
      shareOfAll(
        {
          name: `product_sales_share_${within}`,
          meaning: `its share of all products' customer-days of the ${spoken(within)}: season and growth of the shop leave it as it is`,
        },
        { within },
      ),
    ),
    daysSinceFirst({ name: "product_tenure_days", meaning: "days since it was first sold" }),
    daysSinceLast({ name: "product_recency_days", meaning: "days since it was last sold" }),
    sum(
      { name: "product_quantity", unit: "quantity", meaning: "pieces sold and kept" },
      "quantity",
    ),
    sum(
      {
        name: "product_quantity_28d",
        unit: "quantity",
        meaning: "pieces sold and kept in the last 28 days",
      },
      "quantity",
      { within: "28d" },
    ),
    sum({ name: "product_monetary", unit: "amount", meaning: "net amount sold for" }, "amount"),
    sum(
      {
        name: "product_monetary_28d",
        unit: "amount",
        meaning: "net amount sold for in the last 28 days",
      },
      "amount",
      { within: "28d" },
    ),
    ...gapFeatures("product", "a customer's purchases of it", ["mean", "std", "median"]),
  ],
};

/** How often people come back to a product, as known at the start of the day. */
export const productRepeat: FeatureView = {
  name: "product_repeat",
  entity: "product",
  relation: "purchase",
  per: ["customer_id"],
  features: [
    count({ name: "product_buyers", meaning: "customers who bought it" }),
    share(
      {
        name: "product_repeat_share",
        meaning: "share of its customers who bought it on more than one day",
      },
      isWithin("n", 2, Number.MAX_SAFE_INTEGER),
    ),
    value(
      "mean",
      {
        name: "product_frequency_mean",
        unit: "count",
        meaning: "mean days of purchase of a customer who bought it",
      },
      "n",
    ),
  ],
};

/** How much a product is looked at, as known at the start of the day. */
export const productBrowsing: FeatureView = {
  name: "product_browsing",
  entity: "product",
  relation: "browse",
  features: [
    ...perWindow(["7d", "28d"], (within) =>
      count(
        {
          name: `product_views_${within}`,
          meaning: `times it was looked at in the ${spoken(within)}`,
        },
        { within, where: VIEWED },
      ),
    ),
    count(
      {
        name: "product_cart_adds_28d",
        meaning: "times it was put in the cart in the last 28 days",
      },
      { within: "28d", where: is("event", "Product Added") },
    ),
  ],
};

/** What follows from a product's own counts. */
export const productDerived: readonly DerivedFeature[] = [
  {
    entity: "product",
    name: "product_sales_year_ago_84d",
    expression: difference("product_sales_364d", "product_sales_280d"),
    unit: "count",
    meaning:
      "customer-days on which it was bought in the 84 days that followed this date last year",
    whenUnknown: null,
  },
  {
    entity: "product",
    name: "product_price_mean",
    expression: ratio("product_monetary", "product_quantity"),
    unit: "amount",
    meaning: "mean price paid",
    whenUnknown: null,
  },
  {
    entity: "product",
    name: "product_price_mean_28d",
    expression: ratio("product_monetary_28d", "product_quantity_28d"),
    unit: "amount",
    meaning: "mean price paid in the last 28 days",
    whenUnknown: null,
  },
  {
    entity: "product",
    name: "product_trend",
    expression: ratio("product_sales_28d", atLeast(times("product_sales_84d", 1 / 3), 1)),
    unit: "ratio",
    meaning: "sales of the last 28 days over the mean of the last three such spans",
    whenUnknown: null,
  },
  {
    entity: "product",
    name: "product_season",
    expression: ratio("product_sales_year_ago_84d", atLeast("product_sales_84d", 1)),
    unit: "ratio",
    meaning: "sales of the 84 days to come, last year, over those of the last 84 days",
    whenUnknown: null,
  },
];
