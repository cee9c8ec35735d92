import type { Request, Response } from "express";
import type { z } from "zod";
import {
  type Clock,
  type Every,
  type Logger,
  type Problems,
  readSnapshot,
  type Store,
} from "../base/index.ts";
import type { Collector, Senders } from "../collection/index.ts";
import type { OnlineStore } from "../features/index.ts";
import type { LiveIntent } from "../predictions/index.ts";
import { type CsvDocument, sendCsv } from "./csv.ts";
import { parseInput } from "./input.ts";
import type { Intake } from "./intake.ts";

/** What the API is made from. */
export interface AppContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many bytes of requests are held at a time before more are refused; 32 MiB unless given. */
  readonly intakeBytesMax?: number;
  /** Names and addresses, besides those of this machine itself, under which the API may be asked. */
  readonly allowedHosts?: readonly string[];
  /** Folders that no answer names, besides the store's. */
  readonly privateFolders?: readonly string[];
  /** Takes a few of the live lines that wait to their customers, and says whether there were any. */
  readonly resolveWaiting?: () => boolean;
  /** Where features are read from; a store of its own unless given. */
  readonly online?: OnlineStore;
  /** Scores of intent; none are answered unless given. */
  readonly intent?: LiveIntent;
  /** What comes again and again, such as a sign of life on an open answer; the machine's timer unless given. */
  readonly every?: Every;
  /** What is wrong with the server now; none unless given. */
  readonly problems?: Problems;
  /** Aborted when the server begins to close: open answers end then. */
  readonly closing?: AbortSignal;
}

/** What the API answers from. */
export interface WebContext extends AppContext {
  readonly collector: Collector;
  readonly senders: Senders;
  readonly online: OnlineStore;
  readonly intake: Intake;
}

/** An answer as the doors give it: readonly all the way down. */
export type Answer<T> = T extends readonly (infer Item)[]
  ? readonly Answer<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Answer<T[Key]> }
    : T;

interface Input<Params, Query> {
  readonly params: Params;
  readonly query: Query;
}

/** One address: what it takes, what it answers, and how; the same schemas make the OpenAPI document. */
export interface Definition<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
> {
  /** As in OpenAPI: `/v1/customers/{type}/{id}`. */
  readonly path: string;
  /** The operation's id, for clients that are generated. */
  readonly operation: string;
  readonly summary: string;
  /** Answers about persons are kept by no cache. */
  readonly isPersonal?: boolean;
  /** Every event that was answered counts: those that wait are taken to their customers first. */
  readonly isLive?: boolean;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  read(
    context: WebContext,
    input: Input<z.output<Params>, z.output<Query>>,
  ): Answer<z.output<Body>>;
  readCsv?(context: WebContext, input: Input<z.output<Params>, z.output<Query>>): CsvDocument;
}

export interface Endpoint {
  readonly method: "get" | "post";
  readonly path: string;
  readonly operation: string;
  readonly summary: string;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  /** What is sent; the sender shows a write key. */
  readonly requestBody?: z.ZodType;
  readonly body: z.ZodType;
  readonly hasCsv: boolean;
  handle(context: WebContext, request: Request, response: Response): Promise<void>;
}

/** An endpoint from its definition. A JSON answer is read from one snapshot of the store. */
export function endpoint<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
>(definition: Definition<Params, Query, Body>): Endpoint {
  const { path, operation, summary, params, query, body } = definition;
  return {
    method: "get",
    path,
    operation,
    summary,
    params,
    query,
    body,
    hasCsv: definition.readCsv !== undefined,
    handle: async (context, request, response) => {
      if (definition.isPersonal === true) {
        response.set("Cache-Control", "no-store");
      }
      if (definition.isLive === true) {
        resolveWaiting(context);
      }
      const input = {
        params: parseInput(params, request.params),
        query: parseInput(query, request.query),
      };
      if (definition.readCsv !== undefined && isCsvWanted(request, response)) {
        await sendCsv(request, response, definition.readCsv(context, input));
      } else {
        response.json(readSnapshot(context.store.sqlite, () => definition.read(context, input)));
      }
    },
  };
}

/** So many batches hold a reader up at most; whoever sends more at a time is read a moment later. */
const BATCHES_MAX = 4;

function resolveWaiting({ resolveWaiting: resolve }: WebContext): void {
  for (let batch = 0; batch < BATCHES_MAX && resolve?.() === true; batch++);
}

/** By `format` if given, else by the Accept header. */
function isCsvWanted(request: Request, response: Response): boolean {
  response.vary("Accept");
  const format = request.query["format"] ?? request.accepts(["json", "csv"]);
  return format === "csv";
}
