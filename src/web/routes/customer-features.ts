import { z } from "zod";
import { parseInstant, toIso } from "../../base/index.ts";
import { servingAsOf } from "../../collection/index.ts";
import { findCustomerId } from "../../customers/index.ts";
import { byName, findService } from "../../features/index.ts";
import { instant } from "../answers.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { byIdentifier } from "./profile.ts";

const KEYS_MAX = 200;

/** Names apart by commas, each once. */
const listed = z
  .string()
  .min(1)
  .transform((text) => [...new Set(text.split(","))])
  .refine((names) => names.length <= KEYS_MAX, `expected at most ${KEYS_MAX}`)
  .optional();

const of = endpoint({
  path: "/v1/customers/{type}/{id}/features",
  operation: "getFeatures",
  summary: "A customer's features as of now: those of a model's service, or all there are",
  isPersonal: true,
  isLive: true,
  params: byIdentifier,
  query: z.strictObject({
    service: z.string().default("customer").meta({
      description:
        "a feature service (conversion_intent, repurchase_week), or everything of an entity (customer, pair, customer_category)",
    }),
    products: listed.meta({ description: "for features of a customer and a product" }),
    asOf: z
      .string()
      .transform((text) => parseInstant(text, "asOf"))
      .optional()
      .meta({ description: "what was known before this instant, not far back; now unless given" }),
    categories: listed.meta({ description: "for features of a customer and a category" }),
  }),
  body: z
    .strictObject({
      service: z.string(),
      version: z.int(),
      asOf: instant,
      populationAsOf: instant
        .nullable()
        .meta({ description: "the day of the features of products and categories" }),
      data: z.array(
        z.strictObject({
          product: z.string().optional(),
          category: z.string().optional(),
          features: z.record(z.string(), z.number().nullable()),
        }),
      ),
    })
    .meta({ id: "CustomerFeatures" }),
  read: ({ store, clock, online }, { params: { type, id }, query }) => {
    const service = findService(query.service);
    const keys = [
      ...(query.products ?? []).map((product) => ({ product })),
      ...(query.categories ?? []).map((category) => ({ category })),
    ];
    const { asOf, populationAsOf, rows } = online.readAt(
      service,
      findCustomerId(store, { type, value: id }),
      query.asOf ?? servingAsOf(store, clock),
      keys,
    );
    return {
      service: service.name,
      version: service.version,
      asOf: toIso(asOf),
      populationAsOf: populationAsOf === null ? null : toIso(populationAsOf),
      data: rows.map((values, row) => ({
        ...keys[row],
        features: byName(service, values),
      })),
    };
  },
});

/** What is known of one customer now. */
export const customerFeatureEndpoints: readonly Endpoint[] = [of];
