import { z } from "zod";
import { DAY_MS, parseInstant, type Store, toIso, WEEK_MS } from "../../base/index.ts";
import {
  type Customer,
  findCustomer,
  listCustomers,
  refuseProfilingDenied,
} from "../../customers/index.ts";
import {
  currentRun,
  customerOutlook,
  type PredictionRun,
  type ProductOutlook,
  predictionsOf,
  reasonsOf,
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

/** Who answered, and why not the network. */
const standing = {
  system: z.string().meta({ description: "the network, or the baseline that serves instead" }),
  missing: z.array(z.string()).meta({
    description: "what there was too little of for the network to serve: had X, needs Y",
  }),
};

const repurchase = z.strictObject({
  ...stamps,
  ...standing,
  silentUntil: instant
    .nullable()
    .meta({ description: "as asked; weeks, probabilities and rank are from then on" }),
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
      expectedWeek: z.number().nullable().meta({
        description: "mean week from asOf on (1 is the first) of a purchase within the horizon",
      }),
      window: z
        .strictObject({ from: instant, to: instant.meta({ description: "exclusive" }) })
        .nullable()
        .meta({
          description: "the shortest run of weeks with 80% of the probability within the horizon",
        }),
      rank: count.meta({
        description: "among the customer's products, by within4Weeks; 1 is first",
      }),
      facts,
      reasons: z
        .array(
          z.strictObject({
            about: z.enum(["rhythm", "customer", "product"]),
            text: z.string().meta({ example: "every 31 ± 4 days, last bought 29 days ago" }),
            effect: z.number().nullable().meta({
              description:
                "what it adds to the log odds of within4Weeks; with facts.typicalLogOdds the effects add up to them; null where a baseline answered",
            }),
          }),
        )
        .meta({ description: "the strongest first" }),
    }),
  ),
});

const intent = z.strictObject({ ...stamps, ...standing, probability, percentile, facts });

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
  summary:
    "What a customer will probably buy again, in which week, and whether they order now; 403 for who denied personalisation or analytics",
  isPersonal: true,
  params: byIdentifier,
  query: z.strictObject({
    silentUntil: z.string().optional().meta({
      description:
        "ISO 8601: the answer as of then, should the customer not order the product until then; within the horizon",
    }),
  }),
  body: z.strictObject({
    customer,
    repurchaseWeek: repurchase.nullable().meta({ description: "null before the first scoring" }),
    conversionIntent: intent.nullable().meta({ description: "null outside the scored pool" }),
  }),
  read: ({ store }, { params: { type, id }, query: { silentUntil } }) => {
    const found = findCustomer(store, { type, value: id });
    refuseProfilingDenied(store, found.id);
    const silence = silentUntil === undefined ? null : parseInstant(silentUntil, "silentUntil");
    return {
      customer: customerAnswer(found),
      repurchaseWeek: repurchaseAnswer(store, found.id, silence),
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
  silentUntil: number | null,
): Answer<z.output<typeof repurchase>> | null {
  const run = currentRun(store, "repurchase-week");
  if (run === undefined) {
    return null;
  }
  const { from, products } = customerOutlook(store, run, customerId, silentUntil ?? undefined);
  return {
    ...stampsOf(run),
    ...standingOf(run),
    silentUntil: silentUntil === null ? null : toIso(silentUntil),
    predictions: products.map((one) => ({
      product: one.product,
      productName: one.productName,
      percentile: one.percentile,
      ...weeksOf(from, one),
      rank: one.rank,
      facts: one.facts,
      reasons: reasonsOf(one.facts),
    })),
  };
}

function standingOf({ system, missing }: PredictionRun): Pick<PredictionRun, "system" | "missing"> {
  return { system, missing };
}

type RepurchasePrediction = Answer<z.output<typeof repurchase>>["predictions"][number];

function weeksOf(
  start: number,
  { probabilities, withinFourWeeks, laterOrNever, expectedWeek, window }: ProductOutlook,
): Pick<
  RepurchasePrediction,
  "weeks" | "within4Weeks" | "laterOrNever" | "expectedWeek" | "window"
> {
  return {
    weeks: coveredWeeks(start, probabilities.length - 1).map((week) => ({
      week: week.id,
      from: toIso(start + week.fromDays * DAY_MS),
      to: toIso(week.end),
      probability: rounded(weekProbability(probabilities, week)),
    })),
    within4Weeks: rounded(withinFourWeeks),
    laterOrNever: rounded(laterOrNever),
    expectedWeek: expectedWeek === null ? null : Math.round(100 * expectedWeek) / 100,
    window:
      window === null
        ? null
        : {
            from: toIso(start + (window.fromWeek - 1) * WEEK_MS),
            to: toIso(start + window.toWeek * WEEK_MS),
          },
  };
}

function intentAnswer(store: Store, customerId: number): Answer<z.output<typeof intent>> | null {
  const run = currentRun(store, "conversion-intent");
  const prediction = run === undefined ? undefined : predictionsOf(store, run.id, customerId)[0];
  return run === undefined || prediction === undefined
    ? null
    : {
        ...stampsOf(run),
        ...standingOf(run),
        probability: prediction.probabilities[0] ?? 0,
        percentile: prediction.percentile,
        facts: prediction.facts,
      };
}

/** Who the customers are, and what comes next for each. */
export const customerEndpoints: readonly Endpoint[] = [list, one, predictions];
