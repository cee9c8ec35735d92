import { nearest, ServiceError } from "../base/index.ts";
import type { Aggregation } from "./aggregation.ts";
import { CATALOGUE, type Catalogue, type CatalogueEntry, featureCatalogue } from "./catalogue.ts";
import {
  ENTITIES_OF,
  FEATURE_SERVICES,
  type FeatureService,
  type RowEntity,
  wholeService,
} from "./feature-service.ts";
import {
  type DerivedFeature,
  type Entity,
  type FeatureView,
  isPopulation,
  spoken,
} from "./feature-view.ts";
import type { Window } from "./window.ts";

/** A feature with how it is computed and who reads it. */
export interface FeatureDescription extends CatalogueEntry {
  /** What its view aggregates; null where it is derived. */
  readonly relation: string | null;
  /** What one row is that is aggregated; null where it is derived. */
  readonly grain: string | null;
  /** How the number comes out, in words. */
  readonly aggregation: string;
  /** The span before the cutoff that it looks at, such as `30d`; null where it is all. */
  readonly window: Window | null;
  /** The features it is derived from. */
  readonly inputs: readonly string[];
  /** Derived features that read it. */
  readonly readBy: readonly string[];
  /** Services that have it, those of models first. */
  readonly services: readonly string[];
  /** Whether it is as known at the start of the cutoff's UTC day. */
  readonly isOfPopulation: boolean;
}

/** A view with what it is made of. */
export interface ViewDescription {
  readonly name: string;
  readonly entity: Entity;
  readonly relation: string;
  readonly grain: string;
  readonly where: string | null;
  /** The column between whose values in order gaps are taken, and within what. */
  readonly gap: string | null;
  readonly features: readonly string[];
}

/** Every service: those that models read, then everything of each entity. */
function allServices(): FeatureService[] {
  return [...FEATURE_SERVICES, ...(Object.keys(ENTITIES_OF) as RowEntity[]).map(wholeService)];
}

/** Every feature with how it is computed, in the order of the catalogue. */
export function describeFeatures(catalogue: Catalogue = CATALOGUE): FeatureDescription[] {
  const services = allServices();
  const views = new Map(catalogue.views.map((view) => [view.name, view]));
  const derived = new Map(catalogue.derived.map((feature) => [feature.name, feature]));
  return featureCatalogue(catalogue).map((entry) => ({
    ...entry,
    ...(entry.view === null
      ? derivedWords(derived.get(entry.name))
      : viewWords(views.get(entry.view), entry.name)),
    readBy: catalogue.derived
      .filter(({ expression }) => expression.reads.includes(entry.name))
      .map(({ name }) => name),
    services: services
      .filter(({ features }) => features.includes(entry.name))
      .map(({ name }) => name),
    isOfPopulation: isPopulation(entry.entity),
  }));
}

/** Every view, in the order of the catalogue. */
export function describeViews(catalogue: Catalogue = CATALOGUE): ViewDescription[] {
  return catalogue.views.map((view) => ({
    name: view.name,
    entity: view.entity,
    relation: view.relation,
    grain: grainOf(view),
    where: view.where === undefined ? null : view.where.words,
    gap: view.gap === undefined ? null : gapOf(view),
    features: view.features.map(({ name }) => name),
  }));
}

/** What a name means in the catalogue. */
export type Described =
  | { readonly kind: "feature"; readonly feature: FeatureDescription }
  | { readonly kind: "view"; readonly view: ViewDescription }
  | { readonly kind: "service"; readonly service: FeatureService };

/**
 * The feature, view or service of a name (a service's also with hyphens). A name that is both a feature's and
 * a view's is the feature's. Throws `not-found` with the nearest names.
 */
export function describeName(name: string): Described {
  const feature = describeFeatures().find((one) => one.name === name);
  if (feature !== undefined) {
    return { kind: "feature", feature };
  }
  const view = describeViews().find((one) => one.name === name);
  if (view !== undefined) {
    return { kind: "view", view };
  }
  const service = allServices().find((one) => one.name === name.replaceAll("-", "_"));
  if (service !== undefined) {
    return { kind: "service", service };
  }
  throw unknownName("name", "feature, view or service", name, [
    ...describeFeatures().map((one) => one.name),
    ...describeViews().map((one) => one.name),
    ...allServices().map((one) => one.name),
  ]);
}

/** Which features are listed. */
export interface FeatureFilter {
  readonly entity?: string | undefined;
  readonly view?: string | undefined;
  readonly service?: string | undefined;
}

/** The features that a filter lets through, in the order of the catalogue. Throws `not-found` with the nearest names. */
export function filterFeatures({ entity, view, service }: FeatureFilter): FeatureDescription[] {
  const all = describeFeatures();
  const known = (field: string, given: string | undefined, names: readonly string[]): void => {
    if (given !== undefined && !names.includes(given)) {
      throw unknownName(field, field, given, names);
    }
  };
  const chosen = service?.replaceAll("-", "_");
  known("entity", entity, [...new Set(all.map((one) => one.entity))]);
  known("view", view, [...new Set(all.flatMap((one) => one.view ?? []))]);
  known("service", chosen, [...new Set(all.flatMap((one) => one.services))]);
  return all.filter(
    (one) =>
      (entity === undefined || one.entity === entity) &&
      (view === undefined || one.view === view) &&
      (chosen === undefined || one.services.includes(chosen)),
  );
}

function unknownName(
  field: string,
  what: string,
  given: string,
  names: readonly string[],
): ServiceError {
  return new ServiceError(
    "not-found",
    `${field}: there is no ${what} "${given}"; nearest: ${nearest(given, [...new Set(names)]).join(", ")}`,
    { field },
  );
}

type Words = Pick<FeatureDescription, "relation" | "grain" | "aggregation" | "window" | "inputs">;

function derivedWords(feature: DerivedFeature | undefined): Words {
  const inputs = [...new Set(feature?.expression.reads)];
  return {
    relation: null,
    grain: null,
    aggregation:
      inputs.length === 0 ? "computed from the cutoff alone" : `computed from ${inputs.join(", ")}`,
    window: null,
    inputs,
  };
}

function viewWords(view: FeatureView | undefined, name: string): Words {
  const feature = view?.features.find((one) => one.name === name);
  if (view === undefined || feature === undefined) {
    throw new Error(`the catalogue lists ${name}, which no view has`);
  }
  const { aggregation } = feature;
  return {
    relation: view.relation,
    grain: grainOf(view),
    aggregation: aggregationText(aggregation, view),
    window: ("within" in aggregation ? aggregation.within : undefined) ?? null,
    inputs: [],
  };
}

function grainOf({ relation, per, entity }: FeatureView): string {
  return per === undefined
    ? `each row of ${relation}`
    : `all rows of ${relation} of one ${entity.replace("_", " and ")} that agree in ${per.join(" and ")}`;
}

function gapOf({ gap, gapWithin }: FeatureView): string {
  const unit = gap === "day" ? "days" : "instants";
  return gapWithin === undefined ? unit : `${unit}, within each ${gapWithin.join(" and ")}`;
}

const OF_ROWS = {
  count: "number of rows",
  share_of_all: "number of rows, over that of all",
  days_since_last: "days from the latest row to the cutoff",
  days_since_first: "days from the earliest row to the cutoff",
} as const;

const OF_COLUMN = {
  sum: "sum of",
  mean: "mean of",
  minimum: "least",
  maximum: "greatest",
  last: "latest",
} as const;

function aggregationText(aggregation: Aggregation, view: FeatureView): string {
  const words = rowsText(aggregation, view);
  const where = "where" in aggregation ? aggregation.where : undefined;
  const within = "within" in aggregation ? aggregation.within : undefined;
  const tests = [view.where, where].flatMap((one) => (one === undefined ? [] : [one.words]));
  return [
    words,
    ...(tests.length === 0 ? [] : [`where ${tests.join(" and ")}`]),
    ...(within === undefined ? [] : [`in the ${spoken(within)}`]),
  ].join(" ");
}

function rowsText(aggregation: Aggregation, view: FeatureView): string {
  if ("of" in aggregation) {
    return aggregation.kind === "share"
      ? `share of rows with ${aggregation.of.words}`
      : `${OF_COLUMN[aggregation.kind]} ${aggregation.of === "n" ? "n, the number that agree" : aggregation.of}`;
  }
  return aggregation.kind === "gap"
    ? `${aggregation.statistic} of the gaps between rows in order (${gapOf(view)})`
    : OF_ROWS[aggregation.kind];
}
