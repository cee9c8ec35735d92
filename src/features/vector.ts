import { CATALOGUE, type Catalogue, neededFor } from "./catalogue.ts";
import type { Row } from "./condition.ts";
import type { KnownFacts, MadeRows } from "./customer-entry.ts";
import type { Values } from "./expression.ts";
import type { Fact } from "./fact.ts";
import type { FeatureService } from "./feature-service.ts";
import { type DerivedFeature, type Entity, isPopulation } from "./feature-view.ts";
import type { Relation } from "./relation.ts";
import { type GrowingViewRows, NO_ROWS, type ViewRows, viewRows } from "./view-rows.ts";
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
  return {
    service,
    build: (known, cutoff, rows, population) => {
      const rowsOf = openViews(known, cutoff);
      const own: Record<string, number | null> = {};
      for (const one of parts.own) {
        addViewValues(own, one, rowsOf(one), cutoff);
      }
      return (rows.length === 0 ? [{}] : rows).map((row: Of) => {
        const values = { ...own };
        addParts(values, parts.pair, rowsOf, cutoff, "product", row.product);
        addParts(values, parts.category, rowsOf, cutoff, "category", row.category);
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

type ViewRowsOf = (view: PreparedView, column?: "product" | "category", key?: string) => ViewRows;

/** The rows of views, of the customer or of one product or category of it; those at hand are taken as they are. */
function openViews(known: KnownFacts, cutoff: number): ViewRowsOf {
  const rowsOf = openRelations(known.facts, cutoff);
  const made = known.rowsAt(cutoff);
  return (prepared, column, key) => {
    const { view, relation } = prepared;
    const name = `${view.name}\n${key ?? ""}`;
    const before = made.get(name);
    if (before !== undefined) {
      return before.rows;
    }
    const rows = viewRows(view, relation, rowsOf(relation, column, key));
    made.set(name, {
      rows,
      kinds: relation.kinds,
      add: adding(relation, rows, rowsOf(relation).at(-1), (row) =>
        column === undefined ? true : row[column] === key,
      ),
    });
    return rows;
  };
}

/** Counts facts that happen after all others, where the relation lets rows grow. */
function adding(
  { next }: Relation,
  rows: GrowingViewRows,
  newest: Row | undefined,
  isOwn: (row: Row) => boolean,
): MadeRows["add"] {
  let last = newest;
  return (fact) => {
    const row = next?.(fact, last);
    if (row === undefined) {
      return false;
    }
    last = row;
    if (isOwn(row)) {
      rows.add(row);
    }
    return true;
  };
}

type RowsOf = (relation: Relation, column?: "product" | "category", key?: string) => readonly Row[];

/** Every relation's rows, made on first use; those of a product or category, too. */
function openRelations(facts: readonly Fact[], cutoff: number): RowsOf {
  const all = new Map<string, readonly Row[]>();
  const parted = new Map<string, Map<string, Row[]>>();
  const rowsOf: RowsOf = (relation, column, key) => {
    const rows = all.get(relation.name) ?? relation.rows(facts, cutoff);
    all.set(relation.name, rows);
    if (column === undefined || key === undefined) {
      return rows;
    }
    const name = `${relation.name} ${column}`;
    const parts = parted.get(name) ?? partsOf(rows, column);
    parted.set(name, parts);
    return parts.get(key) ?? [];
  };
  return rowsOf;
}

function partsOf(rows: readonly Row[], column: string): Map<string, Row[]> {
  const parts = new Map<string, Row[]>();
  for (const row of rows) {
    const key = row[column];
    if (typeof key === "string") {
      const part = parts.get(key);
      if (part === undefined) {
        parts.set(key, [row]);
      } else {
        part.push(row);
      }
    }
  }
  return parts;
}

function addParts(
  values: Record<string, number | null>,
  views: readonly PreparedView[],
  rowsOf: ViewRowsOf,
  cutoff: number,
  column: "product" | "category",
  key: string | undefined,
): void {
  for (const one of views) {
    addViewValues(values, one, key === undefined ? NO_ROWS : rowsOf(one, column, key), cutoff);
  }
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
