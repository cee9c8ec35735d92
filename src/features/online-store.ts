import { DAY_MS, type Store } from "../base/index.ts";
import { openCustomerLines } from "../customers/index.ts";
import { LOOKBACK_DAYS } from "./fact.ts";
import { type FeatureService, featuresOf } from "./feature-service.ts";
import { createFactReader, type FactReader } from "./line-facts.ts";
import { openPopulation } from "./population-store.ts";
import { createVectorBuilder, type Of, type VectorBuilder } from "./vector.ts";

/** A customer's features of now. Instants in epoch milliseconds. */
export interface OnlineVectors {
  readonly service: FeatureService;
  /** Everything that happened and was known before this instant counts. */
  readonly asOf: number;
  /** The start of the day of which the features of products and categories are; null where none were made ready. */
  readonly populationAsOf: number | null;
  /** A row per product or category asked for, else one, in the order of the service's features; null is unknown. */
  readonly rows: readonly (readonly (number | null)[])[];
}

/** Features as of now, from what is at hand of each customer. */
export interface OnlineStore {
  /**
   * The features of a customer as of an instant (epoch ms): everything that happened and was known before it.
   * It lies not far back, since what was trimmed is not seen. `of` names products or categories where the
   * service is of these. Throws what `featuresOf` does.
   */
  readAt(
    service: FeatureService,
    customerId: number,
    cutoff: number,
    of?: readonly Of[],
  ): OnlineVectors;
}

/** The online store of a store, through statements that are prepared once. */
export function openOnlineStore(store: Store): OnlineStore {
  const linesOf = openCustomerLines(store);
  const populationAt = openPopulation(store);
  const builders = new Map<FeatureService, VectorBuilder>();
  const factsOf = openFactReader(store);
  const builderOf = (service: FeatureService): VectorBuilder => {
    const known = builders.get(service);
    if (known !== undefined) {
      return known;
    }
    featuresOf(service);
    const builder = createVectorBuilder(service);
    builders.set(service, builder);
    return builder;
  };
  return {
    readAt: (service, customerId, cutoff, of = []) => {
      const builder = builderOf(service);
      const lines = linesOf(customerId, cutoff - LOOKBACK_DAYS * DAY_MS);
      const population = populationAt(cutoff);
      const rows = builder.build(factsOf()(lines), cutoff, of, population.of);
      return { service, asOf: cutoff, populationAsOf: population.day, rows };
    },
  };
}

/** The reader of facts, made anew when a mapping changed. */
function openFactReader(store: Store): () => FactReader {
  const changedAt = store.sqlite
    .prepare<[], string>("SELECT count(*) || ' ' || coalesce(max(updated_at), 0) FROM source")
    .pluck();
  let readAt: string | undefined;
  let reader: FactReader = () => [];
  return () => {
    const now = changedAt.get();
    if (now !== readAt) {
      reader = createFactReader(store);
      readAt = now;
    }
    return reader;
  };
}
