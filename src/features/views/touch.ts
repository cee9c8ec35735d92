import { is } from "../condition.ts";
import { ratio } from "../expression.ts";
import {
  count,
  type DerivedFeature,
  daysSinceLast,
  type FeatureView,
  perWindow,
  spoken,
} from "../feature-view.ts";

const COUNTED = [
  ["emails_sent", "e-mails sent", is("event", "Email Sent", "Email Delivered")],
  ["emails_opened", "e-mails opened", is("event", "Email Opened")],
  ["email_clicks", "links in e-mails followed", is("event", "Email Link Clicked")],
  ["contacts", "chats and calls", is("kind", "contact")],
  ["ad_clicks", "clicks on ads", is("event", "Ad Clicked")],
  ["ad_impressions", "ads shown", is("event", "Ad Impression")],
] as const;

/** How a customer answers e-mail and ads, and asks for help; all counts are 0 where the shop sends no such events. */
export const customerTouch: FeatureView = {
  name: "customer_touch",
  entity: "customer",
  relation: "touch",
  features: [
    ...COUNTED.flatMap(([name, what, where]) =>
      perWindow(["7d", "30d", "90d"], (within) =>
        count(
          { name: `${name}_${within}`, meaning: `${what} in the ${spoken(within)}` },
          { where, within },
        ),
      ),
    ),
    count(
      { name: "coupons_90d", meaning: "coupons entered or applied in the last 90 days" },
      { where: is("kind", "coupon") },
    ),
    daysSinceLast(
      { name: "email_open_recency_days", meaning: "days since an e-mail was last opened" },
      is("event", "Email Opened"),
    ),
    daysSinceLast(
      {
        name: "email_click_recency_days",
        meaning: "days since a link in an e-mail was last followed",
      },
      is("event", "Email Link Clicked"),
    ),
    daysSinceLast(
      {
        name: "unsubscribe_recency_days",
        meaning: "days since the customer unsubscribed, if within 90 days",
      },
      is("event", "Unsubscribed"),
    ),
    daysSinceLast(
      { name: "contact_recency_days", meaning: "days since the last chat or call" },
      is("kind", "contact"),
    ),
    daysSinceLast(
      { name: "ad_click_recency_days", meaning: "days since the last click on an ad" },
      is("event", "Ad Clicked"),
    ),
  ],
};

export const touchDerived: readonly DerivedFeature[] = [
  {
    entity: "customer",
    name: "email_open_ratio_90d",
    expression: ratio("emails_opened_90d", "emails_sent_90d"),
    unit: "ratio",
    meaning: "e-mails opened over e-mails sent in 90 days",
    whenUnknown: null,
  },
  {
    entity: "customer",
    name: "email_click_ratio_90d",
    expression: ratio("email_clicks_90d", "emails_sent_90d"),
    unit: "ratio",
    meaning: "links followed over e-mails sent in 90 days",
    whenUnknown: null,
  },
];
