import { nearest, ServiceError } from "../base/index.ts";
import type { DerivedFeature, Entity, Feature, FeatureView } from "./feature-view.ts";
import {
  customerBrowsing,
  customerOrders,
  customerRefunds,
  customerRepeat,
  customerRhythm,
} from "./views/customer.ts";
import { pairDerived, pairOrderNumbers, pairPurchases, pairRhythm } from "./views/pair.ts";
import { productDerived, productRepeat, productRhythm, productSales } from "./views/product.ts";

/** Every feature view, in the order in which features are listed. */
export const FEATURE_VIEWS: readonly FeatureView[] = [
  pairPurchases,
  pairRhythm,
  pairOrderNumbers,
  customerOrders,
  customerRhythm,
  customerRepeat,
  customerRefunds,
  customerBrowsing,
  productSales,
  productRepeat,
  productRhythm,
];

export const DERIVED_FEATURES: readonly DerivedFeature[] = [...pairDerived, ...productDerived];

export interface CatalogueEntry extends Feature {
  readonly entity: Entity;
}

/** Every feature with its entity. */
export function featureCatalogue(): CatalogueEntry[] {
  return [
    ...FEATURE_VIEWS.flatMap((view) =>
      view.features.map((feature) => ({ ...feature, entity: view.entity })),
    ),
    ...DERIVED_FEATURES,
  ];
}

/** The features of the given names, in that order. Throws `not-found` with the nearest names. */
export function featuresNamed(names: readonly string[]): CatalogueEntry[] {
  const catalogue = new Map(featureCatalogue().map((entry) => [entry.name, entry]));
  return names.map((name) => {
    const entry = catalogue.get(name);
    if (entry === undefined) {
      throw new ServiceError(
        "not-found",
        `there is no feature "${name}"; nearest: ${nearest(name, [...catalogue.keys()]).join(", ")}`,
        { field: "feature" },
      );
    }
    return entry;
  });
}
