import { z } from "zod";
import { describeName, ENTITIES, filterFeatures, UNITS } from "../../features/index.ts";
import { noParameters } from "../answers.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";

const featureBody = z.strictObject({
  name: z.string(),
  entity: z.enum(ENTITIES),
  unit: z.enum(UNITS),
  meaning: z.string(),
  whenUnknown: z.number().nullable().meta({ description: "null is unknown, not zero" }),
  view: z.string().nullable().meta({ description: "null where it is derived from others" }),
  relation: z.string().nullable().meta({ description: "what its view aggregates" }),
  grain: z.string().nullable().meta({ description: "what one row is that is aggregated" }),
  aggregation: z.string().meta({ description: "how the number comes out, in words" }),
  window: z
    .string()
    .nullable()
    .meta({ description: "the span before the cutoff, such as 30d; null for all" }),
  inputs: z.array(z.string()).meta({ description: "the features it is derived from" }),
  readBy: z.array(z.string()).meta({ description: "derived features that read it" }),
  services: z.array(z.string()),
  isOfPopulation: z
    .boolean()
    .meta({ description: "as known at the start of the cutoff's UTC day" }),
});

const list = endpoint({
  path: "/v1/features",
  operation: "listFeatures",
  summary: "Every feature: of what, in which unit, what it says",
  params: noParameters,
  query: z.strictObject({
    entity: z.string().optional().meta({ description: "only those of this entity" }),
    view: z.string().optional().meta({ description: "only those of this view" }),
    service: z.string().optional().meta({ description: "only those that this service has" }),
  }),
  body: z.strictObject({ data: z.array(featureBody) }),
  read: (_, { query }) => ({ data: filterFeatures(query) }),
});

const one = endpoint({
  path: "/v1/features/{name}",
  operation: "getFeature",
  summary: "A feature, a view or a service by its name: what it is made of and who reads it",
  params: z.strictObject({ name: z.string() }),
  query: noParameters,
  body: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("feature"), feature: featureBody }),
    z.strictObject({
      kind: z.literal("view"),
      view: z.strictObject({
        name: z.string(),
        entity: z.enum(ENTITIES),
        relation: z.string(),
        grain: z.string(),
        where: z.string().nullable(),
        gap: z.string().nullable(),
        features: z.array(z.string()),
      }),
    }),
    z.strictObject({
      kind: z.literal("service"),
      service: z.strictObject({
        name: z.string(),
        version: z.int(),
        entity: z.enum(ENTITIES),
        features: z.array(z.string()),
      }),
    }),
  ]),
  read: (_, { params }) => describeName(params.name),
});

/** What there is to know of a customer, a product, and the two together. */
export const featureCatalogueEndpoints: readonly Endpoint[] = [list, one];
