import { z } from "zod";
import { ENTITIES, featureCatalogue, UNITS } from "../../features/index.ts";
import { noParameters } from "../answers.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";

const list = endpoint({
  path: "/v1/features",
  operation: "listFeatures",
  summary: "Every feature: of what, in which unit, what it says",
  params: noParameters,
  query: noParameters,
  body: z.strictObject({
    data: z.array(
      z.strictObject({
        name: z.string(),
        entity: z.enum(ENTITIES),
        unit: z.enum(UNITS),
        meaning: z.string(),
        whenUnknown: z.number().nullable().meta({ description: "null is unknown, not zero" }),
      }),
    ),
  }),
  read: () => ({
    data: featureCatalogue().map(({ name, entity, unit, meaning, whenUnknown }) => ({
      name,
      entity,
      unit,
      meaning,
      whenUnknown,
    })),
  }),
});

/** What is known of a customer, a product, and the two together. */
export const featureEndpoints: readonly Endpoint[] = [list];
