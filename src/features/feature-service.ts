import { nearest, ServiceError } from "../base/index.ts";
import { type CatalogueEntry, featureCatalogue, featuresNamed } from "./catalogue.ts";
import { ENTITIES, type Entity } from "./feature-view.ts";

/** Whose rows a service has. */
export type RowEntity = Exclude<Entity, "instant">;

/** The named, versioned list of features that one model reads, of one entity. */
export interface FeatureService {
  readonly name: string;
  readonly version: number;
  readonly entity: RowEntity;
  readonly features: readonly string[];
}

/** The entities whose features a row of an entity can have. */
export const ENTITIES_OF: Readonly<Record<RowEntity, readonly Entity[]>> = {
  customer: ["customer", "instant"],
  pair: ["pair", "customer", "product", "instant"],
  customer_category: ["customer_category", "customer", "category", "instant"],
  product: ["product", "instant"],
  category: ["category", "instant"],
};

/** Everything there is to know of an entity. */
export function wholeService(entity: RowEntity): FeatureService {
  const features = featureCatalogue()
    .filter((entry) => ENTITIES_OF[entity].includes(entry.entity))
    .map((entry) => entry.name);
  return { name: entity, version: 1, entity, features };
}

/** A changed list is a new version: a model refuses to read another than it was trained on. */
export const repurchaseService: FeatureService = {
  name: "repurchase_week",
  version: 4,
  entity: "pair",
  features: [
    "pair_recency_days",
    "pair_tenure_days",
    "pair_frequency",
    "pair_frequency_30d",
    "pair_frequency_60d",
    "pair_frequency_90d",
    "pair_frequency_180d",
    "pair_frequency_365d",
    "pair_quantity_mean",
    "pair_quantity_last",
    "pair_monetary",
    "pair_amount_last",
    "pair_last_order_number",
    "pair_orders_skipped",
    "pair_frequency_1_orders",
    "pair_frequency_2_orders",
    "pair_frequency_10_orders",
    "pair_frequency_20_orders",
    "pair_gap_mean_orders",
    "pair_gap_max_orders",
    "pair_gap_mean_days",
    "pair_gap_std_days",
    "pair_gap_median_days",
    "pair_gap_last_days",
    "pair_gap_max_days",
    "pair_overdue_ratio",
    "pair_product_overdue_ratio",
    "pair_overdue_orders_ratio",
    "pair_supply_overdue_ratio",
    "pair_gap_left_days",
    "pair_gap_variation",
    "pair_order_share",
    "pair_share_last_5_orders",
    "pair_price_ratio",
    "pair_price_change_ratio",
    "customer_recency_days",
    "customer_frequency",
    "customer_frequency_7d",
    "customer_frequency_30d",
    "customer_frequency_90d",
    "customer_frequency_365d",
    "customer_monetary",
    "customer_monetary_30d",
    "customer_monetary_90d",
    "customer_order_amount_mean",
    "customer_order_amount_last",
    "customer_basket_products_mean",
    "customer_basket_products_last",
    "customer_basket_quantity_mean",
    "customer_gap_mean_days",
    "customer_gap_std_days",
    "customer_gap_median_days",
    "customer_gap_last_days",
    "customer_gap_max_days",
    "customer_products",
    "customer_products_90d",
    "customer_repeat_share",
    "customer_repurchases_28d",
    "customer_repurchases_90d",
    "customer_further_repurchases_28d",
    "customer_further_repurchases_90d",
    "customer_repeated_pairs",
    "customer_refund_days",
    "customer_refund_recency_days",
    "customer_overdue_ratio",
    "customer_gap_variation",
    "customer_frequency_trend",
    "customer_repurchase_rate_28d",
    "customer_further_repurchase_rate_28d",
    "customer_repurchase_rate_90d",
    "customer_further_repurchase_rate_90d",
    "product_sales_7d",
    "product_sales_28d",
    "product_sales_84d",
    "product_sales_share_28d",
    "product_sales_share_84d",
    "product_recency_days",
    "product_gap_mean_days",
    "product_gap_std_days",
    "product_gap_median_days",
    "product_buyers",
    "product_repeat_share",
    "product_frequency_mean",
    "product_repurchases_28d",
    "product_repurchases_84d",
    "product_further_repurchases_28d",
    "product_further_repurchases_84d",
    "product_repeated_pairs",
    "product_price_mean",
    "product_trend",
    "product_repurchase_rate_28d",
    "product_further_repurchase_rate_28d",
    "product_repurchase_rate_84d",
    "product_further_repurchase_rate_84d",
  ],
};

/**
 * Hour and weekday tell single visits apart rather than what makes people buy: a model learns them by heart
 * (docs/decisions/0014).
 */
const OF_THE_CLOCK = /^cutoff_|_(weekend|morning|evening)_share$/;

/** How often people buy the same product again: the other model's question. */
const OF_BUYING_AGAIN = /^customer_(further_)?repurchase|^customer_repeated_pairs/;

export const intentService: FeatureService = {
  name: "conversion_intent",
  version: 3,
  entity: "customer",
  features: wholeService("customer").features.filter(
    (name) => !OF_THE_CLOCK.test(name) && !OF_BUYING_AGAIN.test(name),
  ),
};

/** Services that models read. */
export const FEATURE_SERVICES: readonly FeatureService[] = [repurchaseService, intentService];

let known: readonly FeatureService[] | undefined;

/**
 * The service of a name: one that a model reads, or everything of an entity (by the entity's name).
 * Throws `not-found` with the nearest names.
 */
export function findService(name: string): FeatureService {
  const services = (known ??= [
    ...FEATURE_SERVICES,
    ...ENTITIES.filter((entity): entity is RowEntity => entity !== "instant").map(wholeService),
  ]);
  const found = services.find((service) => service.name === name.replaceAll("-", "_"));
  if (found === undefined) {
    const names = services.map((service) => service.name);
    throw new ServiceError(
      "not-found",
      `there is no feature service "${name}"; nearest: ${nearest(name, names).join(", ")}`,
      { field: "service" },
    );
  }
  return found;
}

/**
 * The features of a service, in its order. Throws `not-found` where one does not exist, `invalid-input`
 * where a row of the service's entity can't have it.
 */
export function featuresOf({ name, entity, features }: FeatureService): CatalogueEntry[] {
  const entries = featuresNamed(features);
  const stranger = entries.find((entry) => !ENTITIES_OF[entity].includes(entry.entity));
  if (stranger !== undefined) {
    throw new ServiceError(
      "invalid-input",
      `${name}: "${stranger.name}" is of a ${stranger.entity}; rows of a ${entity} have features of ${ENTITIES_OF[entity].join(", ")}`,
      { field: "features" },
    );
  }
  return entries;
}
