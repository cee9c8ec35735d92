import { isWithin } from "../condition.ts";
import { ratio } from "../expression.ts";
import {
  type AggregatedFeature,
  count,
  type DerivedFeature,
  type FeatureView,
  perWindow,
  spoken,
} from "../feature-view.ts";
import type { Window } from "../window.ts";

const AGAIN = isWithin("purchase_number", 2, Number.MAX_SAFE_INTEGER);
/** Purchases by those who had bought again before: what pairs bought at least twice do. */
const ONCE_MORE = isWithin("purchase_number", 3, Number.MAX_SAFE_INTEGER);
const SECOND = isWithin("purchase_number", 2, 3);

function repurchases(
  entity: "customer" | "product",
  windows: readonly Window[],
): AggregatedFeature[] {
  return [
    ...perWindow(windows, (within) =>
      count(
        {
          name: `${entity}_repurchases_${within}`,
          meaning: `purchases in the ${spoken(within)} of a product that the customer had bought on an earlier day`,
        },
        { within, where: AGAIN },
      ),
    ),
    ...perWindow(windows, (within) =>
      count(
        {
          name: `${entity}_further_repurchases_${within}`,
          meaning: `the same, of a product bought on two earlier days or more`,
        },
        { within, where: ONCE_MORE },
      ),
    ),
    count(
      {
        name: `${entity}_repeated_pairs`,
        meaning: "customers and products of it that came together on two days or more",
      },
      { where: SECOND },
    ),
  ];
}

/** How much a customer buys again, lately. */
export const customerRepurchases: FeatureView = {
  name: "customer_repurchases",
  entity: "customer",
  relation: "numbered_purchase",
  features: repurchases("customer", ["28d", "90d"]),
};

/** How much a product is bought again, lately, as known at the start of the day. */
export const productRepurchases: FeatureView = {
  name: "product_repurchases",
  entity: "product",
  relation: "numbered_purchase",
  features: repurchases("product", ["28d", "84d"]),
};

function rates(
  entity: "customer" | "product",
  windows: readonly string[],
  buyersOrProducts: string,
): readonly DerivedFeature[] {
  return windows.flatMap((within) => [
    {
      entity,
      name: `${entity}_repurchase_rate_${within}`,
      expression: ratio(`${entity}_repurchases_${within}`, buyersOrProducts),
      unit: "ratio" as const,
      meaning:
        entity === "customer"
          ? "purchases of known products lately, per product ever bought"
          : "purchases by those who knew it lately, per customer who ever bought it",
      whenUnknown: null,
    },
    {
      entity,
      name: `${entity}_further_repurchase_rate_${within}`,
      expression: ratio(`${entity}_further_repurchases_${within}`, `${entity}_repeated_pairs`),
      unit: "ratio" as const,
      meaning: "third and later purchases lately, per pair that came together on two days or more",
      whenUnknown: null,
    },
  ]);
}

/** Recent repurchases over how many there could be: the pace at which a customer, or a product's customers, come back. */
export const repurchaseDerived: readonly DerivedFeature[] = [
  ...rates("customer", ["28d", "90d"], "customer_products"),
  ...rates("product", ["28d", "84d"], "product_buyers"),
];
