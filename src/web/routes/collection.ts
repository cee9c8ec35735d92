import type { Request, Response } from "express";
import { z } from "zod";
import { ServiceError } from "../../base/index.ts";
import {
  type CollectRequest,
  EVENT_TYPES,
  type EventType,
  sourceOfKey,
} from "../../collection/index.ts";
import { noParameters } from "../answers.ts";
import { withJsonBody } from "../body.ts";
import type { Endpoint, WebContext } from "../endpoint.ts";

const BATCH_CALLS_MAX = 2_500;

const call = z
  .looseObject({
    messageId: z.string().max(100).optional().meta({ description: "sent again, it counts once" }),
    userId: z.string().optional().meta({ description: "this or anonymousId" }),
    anonymousId: z.string().optional(),
    event: z.string().optional().meta({ description: "the name of a track call" }),
    properties: z.record(z.string(), z.unknown()).optional(),
    traits: z.record(z.string(), z.unknown()).optional(),
    context: z.record(z.string(), z.unknown()).optional(),
    timestamp: z.iso.datetime({ offset: true }).optional(),
    sentAt: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: "SegmentCall", description: "a call of the Segment spec, at most 32 KB" });

const batch = z
  .looseObject({
    batch: z.array(call).max(BATCH_CALLS_MAX).meta({ description: "each with its `type`" }),
    sentAt: z.iso.datetime({ offset: true }).optional(),
    context: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: "SegmentBatch", description: "at most 4 MB once inflated" });

const results = z
  .strictObject({
    success: z.literal(true),
    results: z.array(
      z.strictObject({
        messageId: z.string().nullable(),
        status: z.enum(["accepted", "duplicate", "rejected"]),
        field: z.string().optional(),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: "CollectionResults", description: "a result per call, in their order" });

/** One address that takes calls in; 200 means that what was accepted is durable. */
function collecting(
  name: EventType | "batch",
  read: (body: unknown) => Omit<CollectRequest, "source">,
): Endpoint {
  return {
    method: "post",
    path: `/v1/${name}`,
    operation: `collect${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    summary: name === "batch" ? "Take calls in, up to 2,500" : `Take a ${name} call in`,
    params: noParameters,
    query: noParameters,
    requestBody: name === "batch" ? batch : call,
    body: results,
    hasCsv: false,
    handle: async (context, request, response) => {
      const source = authorize(context, request);
      const taken = await withJsonBody(request, context.intake, (body) =>
        context.collector.collect({ source, ...read(body) }),
      );
      send(response, { success: true, results: [...taken] });
    },
  };
}

function send(response: Response, answer: z.input<typeof results>): void {
  response.set("Cache-Control", "no-store").json(answer);
}

/** The source of the write key that the request names as its user. Throws `unauthorized`. */
export function authorize({ store }: WebContext, request: Request): string {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? "") ?? [];
  const [key = ""] = Buffer.from(encoded ?? "", "base64")
    .toString("utf8")
    .split(":");
  const source = sourceOfKey(store, key);
  if (source === undefined) {
    throw new ServiceError(
      "unauthorized",
      "expected Basic authentication with a write key as user name and an empty password",
    );
  }
  return source;
}

function fieldOf(body: unknown, field: string): unknown {
  return typeof body === "object" && body !== null
    ? (body as Readonly<Record<string, unknown>>)[field]
    : undefined;
}

function readBatch(body: unknown): Omit<CollectRequest, "source"> {
  const calls = fieldOf(body, "batch");
  if (!Array.isArray(calls)) {
    throw new ServiceError("invalid-input", "batch: expected a list of calls", { field: "batch" });
  }
  if (calls.length > BATCH_CALLS_MAX) {
    throw new ServiceError("too-large", `batch: expected at most ${BATCH_CALLS_MAX} calls`, {
      field: "batch",
    });
  }
  return { calls, sentAt: fieldOf(body, "sentAt"), context: fieldOf(body, "context") };
}

/** Live collection, as the Segment HTTP API takes it. */
export const collectionEndpoints: readonly Endpoint[] = [
  ...EVENT_TYPES.map((type) => collecting(type, (body) => ({ calls: [body], type }))),
  collecting("batch", readBatch),
];
