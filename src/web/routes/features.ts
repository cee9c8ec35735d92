import type { Endpoint } from "../endpoint.ts";
import { featureCatalogueEndpoints } from "./feature-catalogue.ts";

/** What is known of a customer, a product, and the two together. */
export const featureEndpoints: readonly Endpoint[] = [...featureCatalogueEndpoints];
