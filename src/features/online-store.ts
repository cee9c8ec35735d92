import { ServiceError, type Store } from "../base/index.ts";
import type { TakenLines } from "../customers/index.ts";
import { openCustomerFacts } from "./customer-facts.ts";
import { type FeatureService, featuresOf } from "./feature-service.ts";
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
  /** Tells of live lines that were taken to their customers in this process; those of others are seen anyway. */
  readonly take: (taken: TakenLines) => void;
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
  const populationAt = openPopulation(store);
  const builders = new Map<FeatureService, VectorBuilder>();
  const facts = openCustomerFacts(store);
  const builderOf = (service: FeatureService): VectorBuilder => {
    const known = builders.get(service);
    if (known !== undefined) {
      return known;
    }
    featuresOf(service);
    if (service.entity === "product" || service.entity === "category") {
      throw new ServiceError(
        "invalid-input",
        `service: expected features of a customer, a pair or a customer_category, got those of a ${service.entity}`,
        { field: "service" },
      );
    }
    const builder = createVectorBuilder(service);
    builders.set(service, builder);
    return builder;
  };
  return {
    take: facts.take,
    readAt: (service, customerId, cutoff, of = []) => {
      const builder = builderOf(service);
      const population = populationAt(cutoff);
      const rows = builder.build(facts.of(customerId, cutoff), cutoff, of, population.of);
      return { service, asOf: cutoff, populationAsOf: population.day, rows };
    },
  };
}
