import type { Condition } from "../condition.ts";
import { is, isAfter, isKnown, isWithin } from "../condition.ts";
import { ratio, times } from "../expression.ts";
import {
  type AggregatedFeature,
  count,
  type DerivedFeature,
  daysSinceLast,
  type FeatureView,
  gapFeatures,
  perWindow,
  share,
  spoken,
  sum,
  value,
} from "../feature-view.ts";

const WINDOWS = ["1h", "1d", "7d", "30d", "90d"] as const;
const DAYS = ["1d", "7d", "30d", "90d"] as const;

export const VIEWED = is("event", "Product Viewed", "Product Clicked");
const CARTED = is("event", "Product Added");
const CHECKOUT = is("event", "Checkout Started");
const SEARCHED = is("event", "Products Searched");

function counted(
  name: string,
  what: string,
  recency: { readonly name: string; readonly meaning: string },
  where?: Condition,
): AggregatedFeature[] {
  return [
    ...perWindow(WINDOWS, (within) =>
      count(
        { name: `${name}_${within}`, meaning: `${what} in the ${spoken(within)}` },
        where === undefined ? { within } : { within, where },
      ),
    ),
    daysSinceLast(recency, where),
  ];
}

/** What a customer looks at, and when; counts are 0 where the shop sends no browsing. */
export const customerBrowsing: FeatureView = {
  name: "customer_browsing",
  entity: "customer",
  relation: "browse",
  features: [
    ...counted("browsing_events", "browsing events", {
      name: "browsing_recency_days",
      meaning: "days since the last browsing event",
    }),
    ...counted(
      "views",
      "products looked at",
      { name: "view_recency_days", meaning: "days since a product was last looked at" },
      VIEWED,
    ),
    ...counted(
      "cart_adds",
      "products put in the cart",
      { name: "cart_add_recency_days", meaning: "days since a product was last put in the cart" },
      CARTED,
    ),
    ...counted(
      "checkouts",
      "checkouts begun",
      { name: "checkout_recency_days", meaning: "days since a checkout was last begun" },
      CHECKOUT,
    ),
    ...counted(
      "searches",
      "searches",
      { name: "search_recency_days", meaning: "days since the last search" },
      SEARCHED,
    ),
    share(
      {
        name: "browsing_mobile_share",
        meaning: "share of the browsing of 90 days on a phone or tablet",
      },
      is("device", "mobile", "tablet"),
    ),
    share(
      { name: "browsing_app_share", meaning: "share of the browsing of 90 days in the app" },
      is("channel", "app"),
    ),
    share(
      {
        name: "browsing_campaign_share",
        meaning: "share of the browsing of 90 days that a campaign brought",
      },
      isKnown("campaign"),
    ),
    share(
      {
        name: "browsing_weekend_share",
        meaning: "share of the browsing of 90 days on Saturday or Sunday",
      },
      isWithin("weekday", 5, 7),
    ),
    share(
      {
        name: "browsing_evening_share",
        meaning: "share of the browsing of 90 days between 18 and 24 UTC",
      },
      isWithin("hour", 18, 24),
    ),
  ],
};

/** On how many days a customer looks. */
export const customerBrowsingDays: FeatureView = {
  name: "customer_browsing_days",
  entity: "customer",
  relation: "browse",
  per: ["day"],
  features: perWindow(["7d", "30d", "90d"], (within) =>
    count(
      { name: `browsing_days_${within}`, meaning: `days with browsing in the ${spoken(within)}` },
      { within },
    ),
  ),
};

/** Sessions: how many, how long, how far they went, and the one that goes on. */
export const customerSessions: FeatureView = {
  name: "customer_sessions",
  entity: "customer",
  relation: "session_event",
  per: ["session"],
  measures: [
    { name: "views", kind: "count", where: VIEWED },
    { name: "cart_adds", kind: "count", where: CARTED },
    { name: "checkouts", kind: "count", where: CHECKOUT },
    { name: "searches", kind: "count", where: SEARCHED },
  ],
  gap: "at_ms",
  features: [
    ...perWindow(DAYS, (within) =>
      count(
        { name: `sessions_${within}`, meaning: `sessions in the ${spoken(within)}` },
        { within },
      ),
    ),
    value(
      "mean",
      {
        name: "session_minutes_mean",
        unit: "minutes",
        meaning: "mean length of a session of 90 days",
      },
      "length",
    ),
    value(
      "mean",
      {
        name: "session_events_mean",
        unit: "count",
        meaning: "mean browsing events of a session of 90 days",
      },
      "n",
    ),
    share(
      {
        name: "session_cart_share",
        meaning: "share of the sessions of 90 days in which something went into the cart",
      },
      isWithin("cart_adds", 1, Number.MAX_SAFE_INTEGER),
    ),
    share(
      {
        name: "session_checkout_share",
        meaning: "share of the sessions of 90 days in which a checkout was begun",
      },
      isWithin("checkouts", 1, Number.MAX_SAFE_INTEGER),
    ),
    sum(
      {
        name: "this_session_minutes",
        unit: "minutes",
        meaning: "length so far of the session that goes on; 0 without one",
      },
      "length",
      { within: "30m" },
    ),
    ...(
      [
        ["events", "n", "browsing events"],
        ["views", "views", "products looked at"],
        ["cart_adds", "cart_adds", "products put in the cart"],
        ["checkouts", "checkouts", "checkouts begun"],
        ["searches", "searches", "searches"],
      ] as const
    ).map(([name, of, what]) =>
      sum(
        {
          name: `this_session_${name}`,
          unit: "count",
          meaning: `${what} of the session that goes on (the last event at most 30 minutes ago)`,
        },
        of,
        { within: "30m" },
      ),
    ),
    ...gapFeatures("session", "the last events of sessions", ["mean", "std", "median"]),
  ],
};

/** How many different products a customer looks at. */
export const customerBrowsedProducts: FeatureView = {
  name: "customer_browsed_products",
  entity: "customer",
  relation: "browse",
  per: ["product"],
  features: perWindow(["5m", "30m", ...WINDOWS], (within) =>
    count(
      {
        name: `browsed_products_${within}`,
        meaning: `different products browsed in the ${spoken(within)}`,
      },
      { within },
    ),
  ),
};

/** How many different categories a customer looks at. */
export const customerBrowsedCategories: FeatureView = {
  name: "customer_browsed_categories",
  entity: "customer",
  relation: "browse",
  per: ["category"],
  features: perWindow(["1d", "7d", "30d"], (within) =>
    count(
      {
        name: `browsed_categories_${within}`,
        meaning: `different categories browsed in the ${spoken(within)}`,
      },
      { within },
    ),
  ),
};

/** Carts that nobody paid. */
export const customerCarts: FeatureView = {
  name: "customer_carts",
  entity: "customer",
  relation: "shopping",
  per: ["product"],
  measures: [
    { name: "carted_at", kind: "last_at", where: CARTED },
    {
      name: "closed_at",
      kind: "last_at",
      where: is("event", "Product Removed", "Order Completed"),
    },
  ],
  features: perWindow(["1d", "7d", "30d", "90d"], (within) =>
    count(
      {
        name: `open_carts_${within}`,
        meaning: `products touched in the ${spoken(within)} that lie in the cart: put there later than taken out or bought`,
      },
      { within, where: isAfter("carted_at", "closed_at") },
    ),
  ),
};

export const browsingDerived: readonly DerivedFeature[] = [
  {
    entity: "customer",
    name: "browsing_trend",
    expression: ratio(times("browsing_events_7d", 30 / 7), "browsing_events_30d"),
    unit: "ratio",
    meaning: "browsing of the last 7 days, as of 30, over that of the last 30 days",
    whenUnknown: null,
  },
  {
    entity: "customer",
    name: "sessions_trend",
    expression: ratio(times("sessions_7d", 30 / 7), "sessions_30d"),
    unit: "ratio",
    meaning: "sessions of the last 7 days, as of 30, over those of the last 30 days",
    whenUnknown: null,
  },
];
