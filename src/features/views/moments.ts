import { isWithin } from "../condition.ts";
import { ratio } from "../expression.ts";
import {
  count,
  type DerivedFeature,
  daysSinceFirst,
  type FeatureView,
  gapFeatures,
  perWindow,
  spoken,
  sum,
  value,
} from "../feature-view.ts";

const SOME = Number.MAX_SAFE_INTEGER;

/** The pace of a visit: instants at which something was looked at, however many products it was at once. */
export const customerMoments: FeatureView = {
  name: "customer_moments",
  entity: "customer",
  relation: "moment",
  gap: "at_ms",
  features: [
    ...perWindow(["5m", "30m", "6h", "1d", "7d", "30d"], (within) =>
      count(
        { name: `moments_${within}`, meaning: `instants with browsing in the ${spoken(within)}` },
        { within },
      ),
    ),
    ...perWindow(["5m", "30m", "1d", "30d"], (within) =>
      count(
        {
          name: `cart_moments_${within}`,
          meaning: `instants at which something went into the cart in the ${spoken(within)}`,
        },
        { within, where: isWithin("carts", 1, SOME) },
      ),
    ),
    ...perWindow(["5m", "30m", "1d", "30d"], (within) =>
      count(
        {
          name: `checkout_moments_${within}`,
          meaning: `instants at which a checkout was begun in the ${spoken(within)}`,
        },
        { within, where: isWithin("checkouts", 1, SOME) },
      ),
    ),
    ...perWindow(["5m", "30m", "1d"], (within) =>
      count(
        {
          name: `single_moments_${within}`,
          meaning: `instants with one browsing event alone in the ${spoken(within)}`,
        },
        { within, where: isWithin("events", 1, 2) },
      ),
    ),
    ...perWindow(["5m", "30m"], (within) =>
      sum(
        {
          name: `moment_events_${within}`,
          unit: "count",
          meaning: `browsing events in the ${spoken(within)}`,
        },
        "events",
        { within },
      ),
    ),
    ...(
      [
        ["events", "browsing events"],
        ["checkouts", "checkouts begun"],
      ] as const
    ).map(([of, what]) =>
      value(
        "last",
        {
          name: `moment_${of}_last`,
          unit: "count",
          meaning: `${what} at the last instant with browsing`,
        },
        of,
      ),
    ),
    value(
      "maximum",
      {
        name: "moment_events_max",
        unit: "count",
        meaning: "most browsing events at one instant of 90 days",
      },
      "events",
    ),
    value(
      "last",
      {
        name: "moment_value_last",
        unit: "amount",
        meaning: "sum of the prices of what was looked at at the last instant with browsing",
      },
      "value",
    ),
    sum(
      {
        name: "moment_value_30m",
        unit: "amount",
        meaning: "sum of the prices of what was looked at in the last 30 minutes",
      },
      "value",
      { within: "30m" },
    ),
    daysSinceFirst({
      name: "browsing_tenure_days",
      meaning: "days since the first browsing event of 90 days",
    }),
    ...gapFeatures("moment", "instants with browsing", ["median", "last"]),
  ],
};

export const momentsDerived: readonly DerivedFeature[] = [
  {
    entity: "customer",
    name: "moment_price_last",
    expression: ratio("moment_value_last", "moment_events_last"),
    unit: "amount",
    meaning: "mean price of what was looked at at the last instant with browsing",
    whenUnknown: null,
  },
  {
    entity: "customer",
    name: "moment_repeats_30m",
    expression: ratio("moment_events_30m", "browsed_products_30m"),
    unit: "ratio",
    meaning:
      "browsing events over different products of the last 30 minutes: how often each was looked at",
    whenUnknown: null,
  },
];
