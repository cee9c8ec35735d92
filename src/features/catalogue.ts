import { nearest, ServiceError } from "../base/index.ts";
import type {
  AggregatedFeature,
  DerivedFeature,
  Entity,
  Feature,
  FeatureView,
} from "./feature-view.ts";
import type { Relation } from "./relation.ts";
import { browse } from "./relations/browse.ts";
import { moment } from "./relations/moment.ts";
import { numberedPurchase } from "./relations/numbered-purchase.ts";
import { purchase } from "./relations/purchase.ts";
import { refund } from "./relations/refund.ts";
import { sessionEvent } from "./relations/session-event.ts";
import { shopping } from "./relations/shopping.ts";
import { touch } from "./relations/touch.ts";
import {
  browsingDerived,
  customerBrowsedCategories,
  customerBrowsedProducts,
  customerBrowsing,
  customerBrowsingDays,
  customerCarts,
  customerSessions,
} from "./views/browsing.ts";
import {
  categoryDerived,
  categoryRepeat,
  categorySales,
  customerCategoryBrowsing,
  customerCategoryPurchases,
} from "./views/category.ts";
import {
  customerCategories,
  customerDerived,
  customerOrderHabits,
  customerOrders,
  customerRefunds,
  customerRepeat,
} from "./views/customer.ts";
import { instantFeatures } from "./views/instant.ts";
import { customerMoments, momentsDerived } from "./views/moments.ts";
import { pairBrowsing, pairDerived, pairPurchases } from "./views/pair.ts";
import { productBrowsing, productDerived, productRepeat, productSales } from "./views/product.ts";
import { customerTouch, touchDerived } from "./views/touch.ts";

/** What there is to compute: relations, views over them, and features derived from features. */
export interface Catalogue {
  readonly relations: readonly Relation[];
  readonly views: readonly FeatureView[];
  /** In an order in which each reads only what stands before it. */
  readonly derived: readonly DerivedFeature[];
}

/** Herkoop's own catalogue, in the order in which features are listed. */
export const CATALOGUE: Catalogue = {
  relations: [purchase, numberedPurchase, refund, browse, sessionEvent, moment, shopping, touch],
  views: [
    pairPurchases,
    pairBrowsing,
    customerOrders,
    customerOrderHabits,
    customerRepeat,
    customerCategories,
    customerRefunds,
    customerBrowsing,
    customerBrowsingDays,
    customerSessions,
    customerMoments,
    customerBrowsedProducts,
    customerBrowsedCategories,
    customerCarts,
    customerTouch,
    customerCategoryPurchases,
    customerCategoryBrowsing,
    productSales,
    productRepeat,
    productBrowsing,
    categorySales,
    categoryRepeat,
  ],
  derived: [
    ...customerDerived,
    ...momentsDerived,
    ...browsingDerived,
    ...touchDerived,
    ...productDerived,
    ...categoryDerived,
    ...pairDerived,
    ...instantFeatures,
  ],
};

/** The relation that a view, or a spine, reads. */
export function relationOf(
  reader: Pick<FeatureView, "relation" | "name">,
  catalogue: Catalogue,
): Relation {
  const relation = catalogue.relations.find(({ name }) => name === reader.relation);
  if (relation === undefined) {
    throw new Error(`view ${reader.name} reads ${reader.relation}, which is no relation`);
  }
  return relation;
}

/** A feature with what it is of, and where it is declared: its view, or null where it is derived. */
export interface CatalogueEntry extends Feature {
  readonly entity: Entity;
  readonly view: string | null;
}

/** Every feature with its entity and view. */
export function featureCatalogue(catalogue: Catalogue = CATALOGUE): CatalogueEntry[] {
  const entry = (feature: Feature, entity: Entity, view: string | null): CatalogueEntry => {
    const { name, unit, meaning, whenUnknown } = feature;
    return { name, unit, meaning, whenUnknown, entity, view };
  };
  return [
    ...catalogue.views.flatMap((view) =>
      view.features.map((feature) => entry(feature, view.entity, view.name)),
    ),
    ...catalogue.derived.map((feature) => entry(feature, feature.entity, null)),
  ];
}

/** The features of the given names, in that order. Throws `not-found` with the nearest names. */
export function featuresNamed(
  names: readonly string[],
  catalogue: Catalogue = CATALOGUE,
): CatalogueEntry[] {
  const known = new Map(featureCatalogue(catalogue).map((entry) => [entry.name, entry]));
  return names.map((name) => {
    const entry = known.get(name);
    if (entry === undefined) {
      throw new ServiceError(
        "not-found",
        `there is no feature "${name}"; nearest: ${nearest(name, [...known.keys()]).join(", ")}`,
        { field: "feature" },
      );
    }
    return entry;
  });
}

/** What has to be computed for some features: the views, each with the features asked of it, and what is derived. */
export interface Needed {
  readonly views: readonly {
    readonly view: FeatureView;
    readonly features: readonly AggregatedFeature[];
  }[];
  readonly derived: readonly DerivedFeature[];
}

/** The views and derived features behind the given names. Throws `not-found` with the nearest names. */
export function neededFor(names: readonly string[], catalogue: Catalogue = CATALOGUE): Needed {
  featuresNamed(names, catalogue);
  const wanted = new Set(names);
  const derived: DerivedFeature[] = [];
  for (const feature of [...catalogue.derived].reverse()) {
    if (wanted.has(feature.name)) {
      derived.unshift(feature);
      for (const name of feature.expression.reads) {
        wanted.add(name);
      }
    }
  }
  const views = catalogue.views.flatMap((view) => {
    const features = view.features.filter(({ name }) => wanted.has(name));
    return features.length === 0 ? [] : [{ view, features }];
  });
  return { views, derived };
}
