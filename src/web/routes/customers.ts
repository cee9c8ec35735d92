import { z } from "zod";
import { DAY_MS, type Store, toIso } from "../../base/index.ts";
import { type Customer, findCustomer, listCustomers } from "../../customers/index.ts";
import {
  currentRun,
  type Prediction,
  type PredictionRun,
  predictionsOf,
} from "../../predictions/index.ts";
import { coveredWeeks, weekProbability } from "../../segments/index.ts";
import {
  count,
  instant,
  noParameters,
  page,
  percentile,
  probability,
  rounded,
  stamps,
  stampsOf,
} from "../answers.ts";
import { type Answer, type Endpoint, endpoint } from "../endpoint.ts";
import { cursorParameter, DEFAULT_LIMIT, limitParameter, pageOf } from "../input.ts";
import { byIdentifier } from "./profile.ts";

const customer = z
  .strictObject({
    id: count,
    identifiers: z.array(z.strictObject({ type: z.string(), value: z.string() })),
    firstSeenAt: instant,
    consents: z.array(
      z.strictObject({
        purpose: z.string(),
        status: z.enum(["granted", "denied"]),
        source: z.string(),
        basis: z.string(),
        jurisdiction: z.string().nullable(),
        recordedAt: instant,
      }),
    ),
  })
  .meta({ id: "Customer" });

const facts = z
  .record(z.string(), z.number().nullable())
  .meta({ description: "what a person reads beside a probability; null is unknown" });

const repurchase = z.strictObject({
  ...stamps,
  predictions: z.array(
    z.strictObject({
      product: z.string(),
      productName: z.string().nullable(),
      percentile,
      weeks: z
        .array(
          z.strictObject({
            week: z.string().meta({ example: "2011-W50" }),
            from: instant,
            to: instant.meta({ description: "exclusive" }),
            probability,
          }),
        )
        .meta({ description: "by ISO week; of the first only what is left of it after asOf" }),
      within4Weeks: probability.meta({ description: "within 28 days after asOf" }),
      laterOrNever: probability,
      facts,
    }),
  ),
});

const intent = z.strictObject({ ...stamps, probability, percentile, facts });

const list = endpoint({
  path: "/v1/customers",
  operation: "listCustomers",
  summary: "All customers, by id",
  isPersonal: true,
  params: noParameters,
  query: z.strictObject({
    limit: limitParameter,
    cursor: cursorParameter(z.tuple([z.int().min(0)])),
  }),
  body: z.strictObject({ data: z.array(customer), page }),
  read: ({ store }, { query: { limit = DEFAULT_LIMIT, cursor: [after] = [0] } }) =>
    pageOf(listCustomers(store, after, limit + 1).map(customerAnswer), limit, ({ id }) => [id]),
});

const one = endpoint({
  path: "/v1/customers/{type}/{id}",
  operation: "getCustomer",
  summary: "The customer behind an identifier",
  isPersonal: true,
  params: byIdentifier,
  query: noParameters,
  body: customer,
  read: ({ store }, { params: { type, id } }) =>
    customerAnswer(findCustomer(store, { type, value: id })),
});

const predictions = endpoint({
  path: "/v1/customers/{type}/{id}/predictions",
  operation: "getPredictions",
  summary: "What a customer will probably buy again, in which week, and whether they order now",
  isPersonal: true,
  params: byIdentifier,
  query: noParameters,
  body: z.strictObject({
    customer,
    repurchaseWeek: repurchase.nullable().meta({ description: "null before the first scoring" }),
    conversionIntent: intent.nullable().meta({ description: "null outside the scored pool" }),
  }),
  read: ({ store }, { params: { type, id } }) => {
    const found = findCustomer(store, { type, value: id });
    return {
      customer: customerAnswer(found),
      repurchaseWeek: repurchaseAnswer(store, found.id),
      conversionIntent: intentAnswer(store, found.id),
    };
  },
});

function customerAnswer(found: Customer): Answer<z.output<typeof customer>> {
  return {
    ...found,
    firstSeenAt: toIso(found.firstSeenAt),
    consents: found.consents.map((consent) => ({
      ...consent,
      recordedAt: toIso(consent.recordedAt),
    })),
  };
}

function repurchaseAnswer(
  store: Store,
  customerId: number,
): Answer<z.output<typeof repurchase>> | null {
  const run = currentRun(store, "repurchase-week");
  return run === undefined
    ? null
    : {
        ...stampsOf(run),
        predictions: predictionsOf(store, run.id, customerId).map((prediction) => ({
          product: prediction.product,
          productName: prediction.productName,
          percentile: prediction.percentile,
          ...weeksOf(run, prediction),
          facts: prediction.facts,
        })),
      };
}

type RepurchasePrediction = Answer<z.output<typeof repurchase>>["predictions"][number];

const SOON_WEEKS = 4;

function weeksOf(
  run: PredictionRun,
  { probabilities }: Prediction,
): Pick<RepurchasePrediction, "weeks" | "within4Weeks" | "laterOrNever"> {
  const intervals = probabilities.length - 1;
  const soon = probabilities.slice(0, Math.min(SOON_WEEKS, intervals));
  return {
    weeks: coveredWeeks(run.asOfMs, intervals).map((week) => ({
      week: week.id,
      from: toIso(run.asOfMs + week.fromDays * DAY_MS),
      to: toIso(week.end),
      probability: rounded(weekProbability(probabilities, week)),
    })),
    within4Weeks: rounded(soon.reduce((sum, weekly) => sum + weekly, 0)),
    laterOrNever: probabilities[intervals] ?? 0,
  };
}

function intentAnswer(store: Store, customerId: number): Answer<z.output<typeof intent>> | null {
  const run = currentRun(store, "conversion-intent");
  const prediction = run === undefined ? undefined : predictionsOf(store, run.id, customerId)[0];
  return run === undefined || prediction === undefined
    ? null
    : {
        ...stampsOf(run),
        probability: prediction.probabilities[0] ?? 0,
        percentile: prediction.percentile,
        facts: prediction.facts,
      };
}

/** Who the customers are, and what comes next for each. */
export const customerEndpoints: readonly Endpoint[] = [list, one, predictions];
