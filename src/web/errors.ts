import type { ErrorRequestHandler, Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { busyInWords, type ErrorCode, messageOf, ServiceError } from "../base/index.ts";

/** An error as RFC 9457 tells it. */
export const problemSchema = z
  .strictObject({
    type: z.string().meta({ description: "urn:herkoop:problem:<code>, or about:blank" }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    field: z.string().optional().meta({ description: "the parameter at fault" }),
  })
  .meta({ id: "Problem" });

type Problem = z.output<typeof problemSchema>;

const KINDS: Readonly<Record<ErrorCode, { readonly status: number; readonly title: string }>> = {
  "invalid-input": { status: 400, title: "Invalid input" },
  unauthorized: { status: 401, title: "Unauthorized" },
  forbidden: { status: 403, title: "Forbidden" },
  "not-found": { status: 404, title: "Not found" },
  "method-not-allowed": { status: 405, title: "Method not allowed" },
  "timed-out": { status: 408, title: "Timed out" },
  misdirected: { status: 421, title: "Misdirected request" },
  "too-large": { status: 413, title: "Too large" },
  overloaded: { status: 429, title: "Overloaded" },
  conflict: { status: 409, title: "Conflict" },
  damaged: { status: 503, title: "Damaged" },
  busy: { status: 503, title: "Busy" },
  "not-ready": { status: 503, title: "Not ready" },
  cancelled: { status: 503, title: "Cancelled" },
};

/** How soon to come back, by status; what is only busy is free again sooner. */
const RETRY_AFTER_SECONDS: Readonly<Record<number, number>> = { 429: 1, 503: 10 };
const BUSY_RETRY_AFTER_SECONDS = 1;

/** Answers an address that nothing else answered. */
export const refuseUnknown: RequestHandler = () => {
  throw new ServiceError(
    "not-found",
    "there is nothing at this address; GET / lists what there is",
  );
};

/**
 * Answers whatever was thrown; what is our own fault is logged with its stack and told to nobody. A client that
 * went away is no error: the line of its request says so.
 */
// Express knows an error handler by its four arguments.
// eslint-disable-next-line @typescript-eslint/no-unused-vars
export const answerError: ErrorRequestHandler = (error: unknown, request, response, _next) => {
  if (isGone(error)) {
    response.destroy();
    return;
  }
  const problem = problemOf(busyInWords(error));
  if (problem.status === 500) {
    response.err =
      error instanceof Error ? error : new Error("something else than an error was thrown");
  }
  if (response.headersSent || response.destroyed) {
    breakOff(request, response, error);
  } else {
    refuseRest(request, response);
    sendProblem(response, withoutPaths(problem, request));
  }
};

function breakOff(request: Request, response: Response, error: unknown): void {
  if (response.err !== undefined) {
    request.log.error({ err: error }, "answer broken off");
  } else if (!response.destroyed) {
    request.log.warn({ reason: messageOf(error) }, "answer broken off");
  }
  response.destroy();
}

/** What streams say when the other side has gone. */
const GONE: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
]);

function isGone(error: unknown): boolean {
  return GONE.has((error as { readonly code?: unknown } | null)?.code);
}

/** How much of a refused body is read off unkept, so that its sender hears why; beyond it the connection ends. */
const REST_BYTES_MAX = { known: 8 * 1024 * 1024, unknown: 1024 * 1024 };

function refuseRest(request: Request, response: Response): void {
  const isKnown = response.locals["isKnown"] === true;
  const bytes = Number(request.headers["content-length"] ?? Infinity);
  if (hasBody(request) && !request.complete && !(bytes <= restOf(isKnown))) {
    response.set("Connection", "close");
  }
}

function restOf(isKnown: boolean): number {
  return isKnown ? REST_BYTES_MAX.known : REST_BYTES_MAX.unknown;
}

function hasBody({ headers }: Request): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** Where things lie on this machine is for the log and the command line. */
function withoutPaths(problem: Problem, { app }: Request): Problem {
  const hidden = (app.locals["privateFolders"] ?? []) as readonly string[];
  const detail = hidden.reduce((text, folder) => text.replaceAll(folder, "…"), problem.detail);
  return { ...problem, detail };
}

function sendProblem(response: Response, problem: Problem): void {
  const retryAfterSeconds =
    problem.title === KINDS.busy.title
      ? BUSY_RETRY_AFTER_SECONDS
      : RETRY_AFTER_SECONDS[problem.status];
  if (retryAfterSeconds !== undefined) {
    response.set("Retry-After", String(retryAfterSeconds));
  }
  if (problem.status === KINDS.unauthorized.status) {
    response.set("WWW-Authenticate", 'Basic realm="herkoop", charset="UTF-8"');
  }
  response
    .status(problem.status)
    .set("Cache-Control", "no-store")
    .type("application/problem+json")
    .send(JSON.stringify(problem));
}

function problemOf(error: unknown): Problem {
  if (error instanceof ServiceError) {
    const { status, title } = KINDS[error.code];
    return {
      type: `urn:herkoop:problem:${error.code}`,
      title,
      status,
      detail: error.message,
      ...(error.field === undefined ? {} : { field: error.field }),
    };
  }
  // Express itself refuses only an address it can't decode.
  return (error as { status?: unknown } | null)?.status === 400
    ? {
        type: "about:blank",
        title: "Bad Request",
        status: 400,
        detail: "the address is not percent-encoded UTF-8",
      }
    : {
        type: "about:blank",
        title: "Internal Server Error",
        status: 500,
        detail: "something went wrong here; the log has the details",
      };
}
