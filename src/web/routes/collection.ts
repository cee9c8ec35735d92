import cors from "cors";
import type { Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { ServiceError } from "../../base/index.ts";
import {
  type CollectRequest,
  EVENT_TYPES,
  type EventType,
  type Sender,
} from "../../collection/index.ts";
import { noParameters } from "../answers.ts";
import { type BodySenders, withJsonBody } from "../body.ts";
import type { Endpoint, WebContext } from "../endpoint.ts";

const BATCH_CALLS_MAX = 2_500;

const KEY_IN_BODY = "where no header can hold it; within the first 64 KB of the body";

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
    writeKey: z.string().optional().meta({ description: KEY_IN_BODY }),
  })
  .meta({
    id: "SegmentCall",
    description: "a call of the Segment spec, at most 32 KB, nested at most 100 deep",
  });

const batch = z
  .looseObject({
    batch: z.array(call).max(BATCH_CALLS_MAX).meta({ description: "each with its `type`" }),
    sentAt: z.iso.datetime({ offset: true }).optional(),
    context: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: "of every call that has none; counts as part of each of them" }),
    writeKey: z.string().optional().meta({ description: KEY_IN_BODY }),
  })
  .meta({
    id: "SegmentBatch",
    description: "at most 4 MB once inflated with a secret key, 512 KB with a public one",
  });

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
      const senders = sendersOf(context, request);
      if (senders.known !== undefined) {
        response.locals["isKnown"] = true;
      }
      const taken = await withJsonBody(request, context.intake, senders, (body, sender) => {
        const { source, rules, isPublic } = sender;
        return context.collector.collect({ source, rules, isClaim: isPublic, ...read(body) });
      });
      send(response, { success: true, results: [...taken] });
    },
  };
}

function send(response: Response, answer: z.input<typeof results>): void {
  response.set("Cache-Control", "no-store").json(answer);
}

/** Who sends: as the header says, else the address, else the body. Throws `unauthorized` where header or address name none. */
function sendersOf(context: WebContext, request: Request): BodySenders<Sender> {
  return {
    known: senderByHeader(context, request) ?? senderByAddress(context, request),
    find: (key) => admit(request, key === undefined ? undefined : context.senders.find(key)),
  };
}

/** The sender whose key is the user of Basic authentication; undefined without such a header. Throws `unauthorized`. */
function senderByHeader(context: WebContext, request: Request): Sender | undefined {
  const { authorization } = request.headers;
  if (authorization === undefined) {
    return undefined;
  }
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(authorization) ?? [];
  const [key = ""] = Buffer.from(encoded ?? "", "base64")
    .toString("utf8")
    .split(":");
  return admit(request, context.senders.find(key));
}

/** The source of the secret key that the request names as its user. Throws `unauthorized`. */
export function authorize(context: WebContext, request: Request): string {
  const sender = admit(request, senderByHeader(context, request));
  if (sender.isPublic) {
    throw new ServiceError("unauthorized", "expected a secret key: everybody knows a public one");
  }
  return sender.source;
}

/** The sender whose public key stands in the address; undefined without one there. Throws `unauthorized`. */
function senderByAddress(context: WebContext, request: Request): Sender | undefined {
  const said = request.query["writeKey"];
  if (said === undefined) {
    return undefined;
  }
  return admit(
    request,
    publicOnly(typeof said === "string" ? context.senders.find(said) : undefined),
  );
}

/** Addresses stand in logs of proxies, where a secret would not stay one. */
function publicOnly(sender: Sender | undefined): Sender | undefined {
  return sender?.isPublic === true ? sender : undefined;
}

function admit(request: Request, sender: Sender | undefined): Sender {
  if (sender === undefined) {
    throw new ServiceError(
      "unauthorized",
      "expected Basic authentication with a write key as user name and an empty password",
    );
  }
  if (!sender.isPublic && request.headers.origin !== undefined) {
    throw new ServiceError(
      "unauthorized",
      "this key is secret, and a web page shows it to everybody; make one with herkoop keys create --public",
    );
  }
  return sender;
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

/** Addresses as analytics.js and beacons say them. */
const SHORT: Readonly<Record<string, string>> = {
  "/v1/i": "/v1/identify",
  "/v1/t": "/v1/track",
  "/v1/p": "/v1/page",
  "/v1/s": "/v1/screen",
  "/v1/g": "/v1/group",
  "/v1/a": "/v1/alias",
  "/v1/b": "/v1/batch",
  "/beacon/v1/batch": "/v1/batch",
};

/** Reads short addresses of collection as the long ones. */
export const shortAddresses: RequestHandler = (request, _response, next) => {
  const [path = "", ...query] = request.url.split("?");
  const long = request.method === "GET" || !Object.hasOwn(SHORT, path) ? undefined : SHORT[path];
  if (long !== undefined) {
    request.url = [long, ...query].join("?");
  }
  next();
};

const PREFLIGHT_SECONDS = 86_400;

const answerPages = cors({ origin: "*", methods: ["POST"], maxAge: PREFLIGHT_SECONDS });

/** Lets pages of any site post calls and read the answer; nothing here rests on cookies. */
export const browserAccess: RequestHandler = (request, response, next) => {
  if (request.method === "OPTIONS") {
    response.set("Allow", "OPTIONS, POST");
  }
  answerPages(request, response, next);
};

/** Where calls are posted to. */
export const COLLECTION_PATHS: readonly string[] = collectionEndpoints.map(({ path }) => path);
