import { featureCatalogue } from "./catalogue.ts";
import type { Entity } from "./feature-view.ts";

/** The named, versioned list of features that one model reads, of one entity. */
export interface FeatureService {
  readonly name: string;
  readonly version: number;
  readonly entity: "customer" | "pair";
  readonly features: readonly string[];
}

/**
 * Counts and ages that grow with the calendar (a shop's or a person's first day, sales ever, last
 * year's season) tell a network which cutoff a row is from. On later weeks that costs more than it
 * brings (docs/decisions/0005), so the repurchase model does not read them.
 */
const CALENDAR_BOUND = [
  "customer_tenure_days",
  "product_tenure_days",
  "product_sales",
  "product_sales_year_ago_84d",
  "product_season",
];

/** A changed list is a new version: a model refuses to read another than it was trained on. */
export const repurchaseService: FeatureService = {
  name: "repurchase_week",
  version: 1,
  entity: "pair",
  features: namesOf(["pair", "customer", "product"]).filter(
    (name) => !isBrowsing(name) && !CALENDAR_BOUND.includes(name),
  ),
};

export const intentService: FeatureService = {
  name: "conversion_intent",
  version: 1,
  entity: "customer",
  features: namesOf(["customer"]),
};

function namesOf(entities: readonly Entity[]): string[] {
  return featureCatalogue()
    .filter((entry) => entities.includes(entry.entity))
    .map((entry) => entry.name);
}

function isBrowsing(name: string): boolean {
  return /^(browsing|cart|checkout)/.test(name);
}
