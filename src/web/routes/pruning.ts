import { z } from "zod";
import { ServiceError, type Store } from "../../base/index.ts";
import { cutPool, findChampion, getVersion, type PruningRequest } from "../../models/index.ts";
import {
  type Audience,
  countMembers,
  listAudiences,
  RETARGETING_POOL,
  readMembers,
} from "../../segments/index.ts";
import { count, noParameters, probability, stamps, stampsOf } from "../answers.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { numberParameter } from "../input.ts";

// JSON has no NaN: a share of no conversions is null on the card.
const share = z.number().nullable();

const point = {
  pruned: share.meta({ description: "share of the pool that is left out" }),
  kept: share.meta({ description: "share of conversions kept in the back-test" }),
  low: share.meta({ description: "low end of its 95% interval" }),
  high: share,
};

const poolSize = count.meta({ description: "members whose consent is on record now" });

const curve = endpoint({
  path: "/v1/pruning/curve",
  operation: "getPruningCurve",
  summary: "How many conversions remain when the lowest-ranked share of the pool is left out",
  params: noParameters,
  query: noParameters,
  body: z.strictObject({
    ...stamps,
    testCutoffs: z.array(z.string()).meta({ description: "when the back-test pretended now was" }),
    poolSize: poolSize.nullable().meta({ description: "null before a pool is published" }),
    curve: z.array(z.strictObject(point)),
  }),
  read: ({ store }) => {
    const champion = findChampion(store, "conversion-intent");
    if (champion === undefined) {
      throw new ServiceError("not-ready", "conversion-intent has no champion yet: train it first");
    }
    const { id, asOf, dataThrough, createdAt, card } = champion;
    const pool = findPool(store);
    return {
      ...stampsOf({ modelVersion: id, asOf, dataThrough, computedAt: createdAt }),
      testCutoffs: card.testCutoffs,
      poolSize: pool === undefined ? null : countMembers(store, pool),
      curve: card.pruning,
    };
  },
});

const cutQuery = z
  .strictObject({
    maximumLoss: numberParameter(0, 1, "expected a share from 0 to 1, such as 0.02").optional(),
    bound: z
      .enum(["expected", "low"], "expected one of: expected, low")
      .optional()
      .meta({ description: "judge the loss by the expected share or the low end (default)" }),
    budget: numberParameter(0, 1e15, "expected an amount of at least 0").optional(),
    costPerMember: numberParameter(1e-9, 1e15, "expected an amount above 0")
      .optional()
      .meta({ description: "what addressing one member costs; 1 unless given" }),
  })
  .superRefine((query, check) => {
    const refuse = (field: keyof typeof query, message: string): void => {
      check.addIssue({ code: "custom", path: [field], message });
    };
    if (query.maximumLoss === undefined && query.budget === undefined) {
      refuse("maximumLoss", "give this or budget");
    } else if (query.maximumLoss !== undefined && query.budget !== undefined) {
      refuse("budget", "give this or maximumLoss, not both");
    } else if (query.budget !== undefined && query.bound !== undefined) {
      refuse("bound", "it goes with maximumLoss");
    } else if (query.maximumLoss !== undefined && query.costPerMember !== undefined) {
      refuse("costPerMember", "it goes with budget");
    }
  });

const cut = endpoint({
  path: "/v1/pruning/cut",
  operation: "getPruningCut",
  summary: "Where to cut the pool for a loss that is bearable, or for a budget",
  params: noParameters,
  query: cutQuery,
  body: z.strictObject({
    ...stamps,
    audience: z.string(),
    poolSize,
    members: count.meta({ description: "left to address" }),
    ...point,
    rule: z.string(),
    thresholdProbability: probability
      .nullable()
      .meta({ description: "of the last member kept; null where none is" }),
  }),
  read: ({ store }, { query }) => {
    const pool = findPool(store);
    if (pool === undefined) {
      throw new ServiceError("not-ready", "no retargeting pool is published yet: score first");
    }
    // The curve of the version that ranked this pool: a newer champion may not have scored yet.
    const { card } = getVersion(store, "conversion-intent", pool.modelVersion);
    const size = countMembers(store, pool);
    const found = cutPool(card.pruning, size, requestOf(query));
    return {
      ...stampsOf(pool),
      audience: pool.name,
      poolSize: size,
      ...found,
      thresholdProbability: probabilityAt(store, pool, found.members),
    };
  },
});

function findPool(store: Store): Audience | undefined {
  return listAudiences(store, "retargeting").find(({ name }) => name === RETARGETING_POOL);
}

function requestOf(query: z.output<typeof cutQuery>): PruningRequest {
  const { maximumLoss, bound = "low", budget = 0, costPerMember = 1 } = query;
  return maximumLoss === undefined
    ? { by: "members", maximumMembers: Math.floor(budget / costPerMember + 1e-9) }
    : { by: "loss", maximumLoss, bound };
}

function probabilityAt(store: Store, pool: Audience, rank: number): number | null {
  const kept = rank === 0 ? [] : readMembers(store, pool, { after: 0, limit: rank });
  return kept[kept.length - 1]?.probability ?? null;
}

/** How much of the retargeting budget can go. */
export const pruningEndpoints: readonly Endpoint[] = [curve, cut];
