import { z } from "zod";
import { ServiceError, systemEvery } from "../../base/index.ts";
import { findCustomerId, openProfilingDenials } from "../../customers/index.ts";
import type { LiveIntent } from "../../predictions/index.ts";
import {
  count,
  instant,
  noParameters,
  percentile,
  probability,
  rounded,
  stamps,
} from "../answers.ts";
import { type Endpoint, endpoint, type WebContext } from "../endpoint.ts";
import { numberParameter, parseInput } from "../input.ts";
import { byIdentifier } from "./profile.ts";

const IDS_MAX = 200;
const IDS = `expected 1 to ${IDS_MAX} identifiers, apart by commas`;
const REASONS_MAX = 20;

const horizon = z.strictObject({ hours: z.number(), probability });

const score = {
  ...stamps,
  system: z.string().meta({ description: "the network, or the baseline that serves for it" }),
  probability: probability.meta({ description: "of an order within the main horizon" }),
  percentile: percentile
    .nullable()
    .meta({ description: "the share of visits at or below it; null where the model knows none" }),
  horizons: z.array(horizon),
  isBot: z.boolean().meta({ description: "looks faster than a person can, by the stated rule" }),
};

const reason = z.strictObject({
  feature: z.string(),
  value: z.number().nullable(),
  typical: z.number().nullable().meta({ description: "the median of training; null is unknown" }),
  contribution: z.number().meta({ description: "what it adds to the log odds" }),
  probabilityIfTypical: probability.meta({
    description: "what would be answered were this feature alone at its typical value",
  }),
});

const explained = z
  .strictObject({
    ...score,
    reasons: z
      .strictObject({
        method: z.string(),
        source: z.string(),
        base: z.number().meta({ description: "the log odds of a typical visitor" }),
        logOdds: z.number().meta({
          description: "of this one: base, contributions, others and remainder together",
        }),
        others: z.number().meta({ description: "the contributions that are not listed" }),
        remainder: z.number().meta({ description: "what the method misses" }),
        reasons: z.array(reason),
      })
      .nullable()
      .meta({ description: "null unless asked for, or where a rule serves" }),
    ifNothingHappens: z.array(horizon).meta({ description: "should no event come for so long" }),
  })
  .meta({ id: "Intent" });

const one = endpoint({
  path: "/v1/customers/{type}/{id}/intent",
  operation: "getIntent",
  summary:
    "How probable it is that a customer or visitor orders soon, as of the last event; 403 for who denied personalisation or analytics",
  isPersonal: true,
  isLive: true,
  params: byIdentifier,
  query: z.strictObject({
    reasons: numberParameter(0, REASONS_MAX, `expected a number from 0 to ${REASONS_MAX}`)
      .optional()
      .meta({
        description: "how many reasons to give, and what would change it; none unless given",
      }),
  }),
  body: explained,
  read: (context, { params: { type, id }, query }) => {
    const intent = openedIntent(context);
    const customerId = findCustomerId(context.store, { type, value: id });
    const most = Math.floor(query.reasons ?? 0);
    const found =
      most === 0
        ? { ...intent.answer(customerId), reasons: null, ifNothingHappens: [] }
        : intent.explain(customerId, most);
    return { ...found, reasons: found.reasons ?? null };
  },
});

const many = endpoint({
  path: "/v1/intent",
  operation: "getIntents",
  summary: "The same of several at once",
  isPersonal: true,
  isLive: true,
  params: noParameters,
  query: z.strictObject({
    type: z.string().default("user_id"),
    ids: z
      .string(IDS)
      .transform((text) => [...new Set(text.split(",").map((id) => id.trim()))].filter(Boolean))
      .refine((ids) => ids.length > 0 && ids.length <= IDS_MAX, IDS)
      .meta({ description: "identifiers of that type, apart by commas" }),
  }),
  body: z
    .strictObject({
      data: z.array(z.strictObject({ id: z.string(), ...score })),
      unknown: z.array(z.string()).meta({ description: "identifiers of nobody" }),
      denied: z.array(z.string()).meta({
        description: "identifiers of people who denied personalisation or analytics",
      }),
    })
    .meta({ id: "Intents" }),
  read: (context, { query: { type, ids } }) => {
    const intent = openedIntent(context);
    const unknown: string[] = [];
    const denied: string[] = [];
    const isDenied = openProfilingDenials(context.store);
    const data = ids.flatMap((id) => {
      const customerId = customerOf(context, type, id);
      if (customerId === undefined) {
        unknown.push(id);
        return [];
      }
      if (isDenied(customerId)) {
        denied.push(id);
        return [];
      }
      return [{ id, ...intent.answer(customerId) }];
    });
    return { data, unknown, denied };
  },
});

function customerOf({ store }: WebContext, type: string, value: string): number | undefined {
  try {
    return findCustomerId(store, { type, value });
  } catch (error) {
    if (error instanceof ServiceError && error.code === "not-found" && error.field === type) {
      return undefined;
    }
    throw error;
  }
}

function openedIntent({ intent }: WebContext): LiveIntent {
  if (intent === undefined) {
    throw new ServiceError("not-ready", "this server was started without models");
  }
  return intent;
}

const streamQuery = z.strictObject({
  threshold: numberParameter(0, 1, "expected a probability from 0 to 1, such as 0.4"),
  purpose: z.enum(["personalisation", "advertising", "analytics"]).default("personalisation").meta({
    description:
      "only people who agreed to it are told of, who denied neither personalisation nor analytics; unknown is no",
  }),
});

const crossing = z
  .strictObject({
    customerId: count,
    identifiers: z.array(z.strictObject({ type: z.string(), value: z.string() })).meta({
      description:
        "user ids of the visitor, then anonymous ids, of each the latest first; at most 20",
    }),
    probability,
    percentile: percentile.nullable(),
    asOf: instant,
    modelVersion: z.string(),
  })
  .meta({ id: "IntentCrossing" });

/** What a listener that does not read may hold up in memory before it is cut off. */
const BACKLOG_BYTES_MAX = 1024 * 1024;

/** Proxies close connections on which nothing comes for a minute. */
const BEAT_MS = 15_000;

/** How long listeners wait before they connect again to a server that has stopped. */
const RECONNECT_MS = 2000;

const stream: Endpoint = {
  method: "get",
  path: "/v1/intent/stream",
  operation: "streamIntent",
  summary:
    "Server-sent events (`crossing`), one for each visitor whose probability rises across a threshold; each carries this",
  params: noParameters,
  query: streamQuery,
  body: crossing,
  hasCsv: false,
  handle: (context, request, response) => {
    const { threshold, purpose } = parseInput(streamQuery, request.query);
    const intent = openedIntent(context);
    const stop = intent.subscribe({
      threshold,
      purpose,
      tell: (found) => {
        const data = { ...found, probability: rounded(found.probability) };
        response.write(`event: crossing\ndata: ${JSON.stringify(data)}\n\n`);
        if (response.writableLength > BACKLOG_BYTES_MAX) {
          response.destroy();
        }
      },
    });
    response.set({
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    });
    response.write(": listening\n\n");
    const { every = systemEvery } = context;
    const endBeats = every(BEAT_MS, () => response.write(": still listening\n\n"));
    const end = (): void => {
      stop();
      endBeats();
      response.end(`retry: ${RECONNECT_MS}\n: the server stops; connect again\n\n`);
    };
    const { closing } = context;
    if (closing?.aborted === true) {
      end();
    }
    closing?.addEventListener("abort", end);
    return new Promise((resolve) => {
      response.once("close", () => {
        stop();
        endBeats();
        closing?.removeEventListener("abort", end);
        resolve();
      });
    });
  },
};

/** Who will order soon, now. */
export const intentEndpoints: readonly Endpoint[] = [one, many, stream];
