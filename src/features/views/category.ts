import { isWithin } from "../condition.ts";
import { atLeast, ratio } from "../expression.ts";
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
} from "../feature-view.ts";
import { VIEWED } from "./browsing.ts";

/** A customer's days of purchase from one category, and their rhythm. */
export const customerCategoryPurchases: FeatureView = {
  name: "customer_category_purchases",
  entity: "customer_category",
  relation: "purchase",
  per: ["day"],
  measures: [{ name: "amount", kind: "sum", of: "amount" }],
  gap: "day",
  features: [
    daysSinceLast({
      name: "customer_category_recency_days",
      meaning: "days since the customer last bought from the category",
    }),
    daysSinceFirst({
      name: "customer_category_tenure_days",
      meaning: "days since the customer first bought from the category",
    }),
    count({
      name: "customer_category_frequency",
      meaning: "days on which the customer bought from the category, ever",
    }),
    ...perWindow(["30d", "90d", "365d"], (within) =>
      count(
        {
          name: `customer_category_frequency_${within}`,
          meaning: `days on which the customer bought from the category in the ${spoken(within)}`,
        },
        { within },
      ),
    ),
    sum(
      {
        name: "customer_category_monetary",
        unit: "amount",
        meaning: "net amount spent on the category",
      },
      "amount",
    ),
    ...gapFeatures("customer_category", "purchases from the category"),
  ],
};

/** How a customer looks at one category. */
export const customerCategoryBrowsing: FeatureView = {
  name: "customer_category_browsing",
  entity: "customer_category",
  relation: "browse",
  features: [
    ...perWindow(["7d", "30d"], (within) =>
      count(
        {
          name: `customer_category_views_${within}`,
          meaning: `products of the category looked at in the ${spoken(within)}`,
        },
        { within, where: VIEWED },
      ),
    ),
    daysSinceLast(
      {
        name: "customer_category_view_recency_days",
        meaning: "days since a product of the category was last looked at",
      },
      VIEWED,
    ),
  ],
};

/** How much a category sells, and lately, as known at the start of the day. */
export const categorySales: FeatureView = {
  name: "category_sales",
  entity: "category",
  relation: "purchase",
  gap: "day",
  gapWithin: ["customer_id"],
  per: ["customer_id", "day"],
  features: [
    ...perWindow(["28d", "84d"], (within) =>
      count(
        {
          name: `category_sales_${within}`,
          meaning: `customer-days with a purchase from the category in the ${spoken(within)}`,
        },
        { within },
      ),
    ),
    ...gapFeatures("category", "a customer's purchases from it", ["mean", "std", "median"]),
  ],
};

/** How often people come back to a category, as known at the start of the day. */
export const categoryRepeat: FeatureView = {
  name: "category_repeat",
  entity: "category",
  relation: "purchase",
  per: ["customer_id"],
  features: [
    count({ name: "category_buyers", meaning: "customers who bought from it" }),
    share(
      {
        name: "category_repeat_share",
        meaning: "share of its customers who bought from it more than once",
      },
      isWithin("n", 2, Number.MAX_SAFE_INTEGER),
    ),
  ],
};

export const categoryDerived: readonly DerivedFeature[] = [
  {
    entity: "customer_category",
    name: "customer_category_overdue_ratio",
    expression: ratio(
      "customer_category_recency_days",
      atLeast("customer_category_gap_mean_days", 1),
    ),
    unit: "ratio",
    meaning: "silence over the mean gap between purchases from the category",
    whenUnknown: null,
  },
];
