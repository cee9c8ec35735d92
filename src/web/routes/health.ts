import { z } from "zod";
import { toIso } from "../../base/index.ts";
import { historySummary } from "../../collection/index.ts";
import { countCustomers } from "../../customers/index.ts";
import { MODEL_NAMES } from "../../models/index.ts";
import { currentRun, type PredictionRun } from "../../predictions/index.ts";
import { count, instant, modelName, noParameters } from "../answers.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { PRODUCT } from "../product.ts";

const links = z.record(z.string(), z.string());

const root = endpoint({
  path: "/",
  operation: "getIndex",
  summary: "What this is and where to go on",
  params: noParameters,
  query: noParameters,
  body: z.strictObject({ name: z.string(), version: z.string(), description: z.string(), links }),
  read: () => ({
    ...PRODUCT,
    links: {
      health: "/v1/health",
      customers: "/v1/customers",
      audiences: "/v1/audiences",
      repurchase: "/v1/repurchase",
      pruningCurve: "/v1/pruning/curve",
      pruningCut: "/v1/pruning/cut?maximumLoss=0.02",
      models: "/v1/models",
      features: "/v1/features",
      sources: "/v1/sources",
      quality: "/v1/quality",
      openapi: "/v1/openapi.json",
    },
  }),
});

const health = endpoint({
  path: "/v1/health",
  operation: "getHealth",
  summary: "Whether predictions are served, and how fresh they are",
  params: noParameters,
  query: noParameters,
  body: z.strictObject({
    status: z
      .enum(["ok", "preparing", "degraded"])
      .meta({ description: "preparing: nothing is published yet; degraded: see problems" }),
    problems: z
      .array(z.strictObject({ code: z.string(), message: z.string() }))
      .meta({ description: "what needs an operator, and what to do" }),
    version: z.string(),
    asOf: instant.nullable().meta({ description: "of the latest predictions" }),
    dataThrough: instant.nullable().meta({ description: "the last event in the history" }),
    rows: count.meta({ description: "event lines in the history" }),
    customers: count,
    models: z.record(
      modelName,
      z.strictObject({ modelVersion: z.string(), asOf: instant, computedAt: instant }).nullable(),
    ),
  }),
  read: ({ store, problems }) => {
    const { rows, lastOccurredAt } = historySummary(store);
    const runs = MODEL_NAMES.flatMap((model) => currentRun(store, model) ?? []);
    const asOf = Math.max(...runs.map((run) => run.asOfMs));
    const wrong = problems?.list() ?? [];
    return {
      status: statusOf(runs.length > 0, wrong.length > 0),
      problems: wrong,
      version: PRODUCT.version,
      asOf: runs.length === 0 ? null : toIso(asOf),
      dataThrough: lastOccurredAt === null ? null : toIso(lastOccurredAt),
      rows,
      customers: countCustomers(store),
      models: {
        "repurchase-week": freshness(runs.find((run) => run.model === "repurchase-week")),
        "conversion-intent": freshness(runs.find((run) => run.model === "conversion-intent")),
      },
    };
  },
});

function statusOf(isPublished: boolean, isAnyWrong: boolean): "ok" | "preparing" | "degraded" {
  if (isAnyWrong) {
    return "degraded";
  }
  return isPublished ? "ok" : "preparing";
}

function freshness(
  run: PredictionRun | undefined,
): Pick<PredictionRun, "modelVersion" | "asOf" | "computedAt"> | null {
  return run === undefined
    ? null
    : { modelVersion: run.modelVersion, asOf: run.asOf, computedAt: run.computedAt };
}

/** How the service is, and where things are. */
export const healthEndpoints: readonly Endpoint[] = [root, health];
