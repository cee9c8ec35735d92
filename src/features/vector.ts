import { CATALOGUE, type Catalogue, neededFor } from "./catalogue.ts";
import type { KnownFacts } from "./customer-entry.ts";
import type { Values } from "./expression.ts";
import type { FeatureService } from "./feature-service.ts";
import { type DerivedFeature, type Entity, isPopulation } from "./feature-view.ts";
import { MadeRelation, type Part } from "./made-relation.ts";
import { recordsOf } from "./named-values.ts";
import type { Relation } from "./relation.ts";
import { NO_ROWS, type ViewRows } from "./view-rows.ts";
import { addViewValues, type PreparedView, prepareView } from "./view-values.ts";

/** What is known of the population: features of a product or a category; undefined where nothing is. */
export type PopulationOf = (entity: "product" | "category", key: string) => Values | undefined;

/** Which product or category of the customer a row is of; neither where the row is the customer's own. */
export interface Of {
  readonly product?: string;
  readonly category?: string;
}

/** Computes a service's features of one customer in memory: what the offline store would write, to the last digit. */
export interface VectorBuilder {
  readonly service: FeatureService;
  /**
   * The features at a cutoff, in the service's order; null is unknown. One row per element of `rows`, the
   * customer's own where it is empty.
   */
  build(
    known: KnownFacts,
    cutoff: number,
    rows: readonly Of[],
    population: PopulationOf,
  ): (number | null)[][];
}

/** A builder of a service's features. Throws where a service names what the catalogue lacks. */
export function createVectorBuilder(
  service: FeatureService,
  catalogue: Catalogue = CATALOGUE,
): VectorBuilder {
  const needed = neededFor(service.features, catalogue);
  const prepared = needed.views.map(({ view, features }) =>
    prepareView(view, features, relationNamed(catalogue, view.relation)),
  );
  const of = (entity: Entity): PreparedView[] =>
    prepared.filter(({ view }) => view.entity === entity);
  const parts = {
    own: of("customer"),
    pair: of("pair"),
    category: of("customer_category"),
    population: prepared.filter(({ view }) => isPopulation(view.entity)),
  };
  const names = [
    ...prepared.flatMap(({ features }) => features.map(({ name }) => name)),
    ...needed.derived.map(({ name }) => name),
  ];
  // Records of this size cost more to make than to fill: they are filled anew, every name of them.
  const recordOf = recordsOf(names);
  const [own, ofRow] = [recordOf(), recordOf()];
  return {
    service,
    build: (known, cutoff, rows, population) => {
      const rowsOf = openViews(known, cutoff);
      for (const one of parts.own) {
        addViewValues(own, one, rowsOf(one), cutoff);
      }
      return (rows.length === 0 ? [{}] : rows).map((row: Of) => {
        const values = rows.length < 2 ? own : Object.assign(ofRow, own);
        addParts(values, parts.pair, rowsOf, cutoff, partOf("product", row));
        addParts(values, parts.category, rowsOf, cutoff, partOf("category", row));
        addPopulation(values, parts.population, row, population);
        addDerived(values, needed.derived, cutoff);
        return service.features.map((name) => values[name] ?? null);
      });
    },
  };
}

function relationNamed(catalogue: Catalogue, name: string): Relation {
  const relation = catalogue.relations.find((one) => one.name === name);
  if (relation === undefined) {
    throw new Error(`${name} is no relation`);
  }
  return relation;
}

type ViewRowsOf = (view: PreparedView, part?: Part) => ViewRows;

/** The rows of views, of the customer or of one product or category of it; those at hand are taken as they are. */
function openViews(known: KnownFacts, cutoff: number): ViewRowsOf {
  const relations = known.madeAt(cutoff);
  return ({ view, relation }, part) => {
    const made = relations.get(relation.name) ?? new MadeRelation(relation, known.facts, cutoff);
    relations.set(relation.name, made);
    return made.view(view, part);
  };
}

function addParts(
  values: Record<string, number | null>,
  views: readonly PreparedView[],
  rowsOf: ViewRowsOf,
  cutoff: number,
  part: Part | undefined,
): void {
  for (const one of views) {
    addViewValues(values, one, part === undefined ? NO_ROWS : rowsOf(one, part), cutoff);
  }
}

function partOf(column: Part["column"], of: Of): Part | undefined {
  const key = of[column];
  return key === undefined ? undefined : { column, key };
}

function addPopulation(
  values: Record<string, number | null>,
  views: readonly PreparedView[],
  row: Of,
  population: PopulationOf,
): void {
  for (const { view, features } of views) {
    const entity = view.entity === "product" ? "product" : "category";
    const key = row[entity];
    const known = key === undefined ? undefined : population(entity, key);
    for (const { name, whenUnknown } of features) {
      values[name] = known?.[name] ?? whenUnknown;
    }
  }
}

function addDerived(
  values: Record<string, number | null>,
  derived: readonly DerivedFeature[],
  cutoff: number,
): void {
  for (const { name, expression, whenUnknown } of derived) {
    values[name] = expression.evaluate(values, cutoff) ?? whenUnknown;
  }
}
