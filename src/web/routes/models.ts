import { z } from "zod";
import { nearest, ServiceError } from "../../base/index.ts";
import {
  getVersion,
  listVersions,
  MODEL_NAMES,
  type ModelName,
  type ModelVersion,
} from "../../models/index.ts";
import { count, instant, modelName, noParameters } from "../answers.ts";
import { type Answer, type Endpoint, endpoint } from "../endpoint.ts";

// JSON has no NaN: a figure that is undefined, such as an AUC of one class, is null on the card.
const figure = z.number().nullable();
const metrics = z.record(z.string(), figure);

const version = {
  id: z.string(),
  system: z.string().meta({ description: "the network, or the baseline that serves instead" }),
  aliases: z.array(z.string()),
  asOf: instant,
  dataThrough: instant,
  createdAt: instant,
};

const headline = z.strictObject({ system: z.string(), metrics }).nullable();

const versionSummary = z.strictObject({
  ...version,
  isGatePassed: z.boolean().meta({ description: "whether the network beat the best baseline" }),
  network: headline,
  champion: headline,
  bestBaseline: headline,
});

const card = z
  .strictObject({
    model: modelName,
    intervals: count,
    intervalDays: z.number(),
    seed: z.number(),
    backend: z.string(),
    trainingCutoffs: z.array(z.string()),
    calibrationCutoffs: z.array(z.string()),
    testCutoffs: z.array(z.string()),
    judgedAt: z.string(),
    rows: z.strictObject({ training: count, calibration: count, test: count }),
    testEventShare: figure,
    systems: z.record(
      z.string(),
      z.strictObject({
        metrics,
        perInterval: z.array(
          z.strictObject({
            auc: figure,
            averagePrecision: figure,
            brier: figure,
            calibrationError: figure.optional(),
            forecast: figure,
            observed: figure,
          }),
        ),
        calibration: z.strictObject({ intercept: figure, slope: figure, tilt: figure.optional() }),
        seconds: z.number(),
      }),
    ),
    champion: z.string(),
    gate: z.strictObject({
      bestBaseline: z.string(),
      advantage: z.strictObject({ mean: figure, low: figure, high: figure }),
      isPassed: z.boolean(),
      missing: z.array(z.string()).optional().meta({
        description: "what there was too little of for the network to serve: had X, needs Y",
      }),
    }),
    reliability: z.array(z.strictObject({ count: count, forecast: figure, observed: figure })),
    pruning: z.array(
      z.strictObject({ pruned: z.number(), kept: figure, low: figure, high: figure }),
    ),
    cost: z.strictObject({
      featureRowsPerSecond: figure,
      trainingRowsPerSecond: figure,
      peakMemoryMiB: figure,
    }),
  })
  .meta({ id: "Card", description: "what the evaluation of this version found" });

const list = endpoint({
  path: "/v1/models",
  operation: "listModels",
  summary: "The models, their versions, and what each was worth in its back-test",
  params: noParameters,
  query: noParameters,
  body: z.strictObject({
    data: z.array(
      z.strictObject({
        model: modelName,
        champion: z.string().nullable().meta({ description: "the version that serves" }),
        versions: z.array(versionSummary),
      }),
    ),
  }),
  read: ({ store }) => ({
    data: MODEL_NAMES.map((model) => {
      const versions = listVersions(store, model);
      return {
        model,
        champion: versions.find((one) => one.aliases.includes("champion"))?.id ?? null,
        versions: versions.map(summaryOf),
      };
    }),
  }),
});

const one = endpoint({
  path: "/v1/models/{model}/versions/{version}",
  operation: "getModelVersion",
  summary: "A model version with its whole card",
  params: z.strictObject({ model: z.string(), version: z.string() }),
  query: noParameters,
  body: z.strictObject({ model: modelName, ...version, card }),
  read: ({ store }, { params }) => getVersion(store, modelNamed(params.model), params.version),
});

function summaryOf(found: ModelVersion): Answer<z.output<typeof versionSummary>> {
  const { id, system, aliases, asOf, dataThrough, createdAt, card } = found;
  const headlineOf = (name: string): Answer<z.output<typeof headline>> => {
    const report = card.systems[name];
    return report === undefined ? null : { system: name, metrics: report.metrics };
  };
  return {
    id,
    system,
    aliases,
    asOf,
    dataThrough,
    createdAt,
    isGatePassed: card.gate.isPassed,
    network: headlineOf("network"),
    champion: headlineOf(card.champion),
    bestBaseline: headlineOf(card.gate.bestBaseline),
  };
}

function modelNamed(text: string): ModelName {
  const found = MODEL_NAMES.find((name) => name === text);
  if (found === undefined) {
    throw new ServiceError(
      "not-found",
      `model: there is none of that name; nearest: ${nearest(text, MODEL_NAMES)[0] ?? ""}`,
      { field: "model" },
    );
  }
  return found;
}

/** What was learnt, and the proof that it is right. */
export const modelEndpoints: readonly Endpoint[] = [list, one];
