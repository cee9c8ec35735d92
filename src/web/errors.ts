import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { z } from "zod";
import { type ErrorCode, ServiceError } from "../base/index.ts";

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
  "too-large": { status: 413, title: "Too large" },
  overloaded: { status: 429, title: "Overloaded" },
  conflict: { status: 409, title: "Conflict" },
  "not-ready": { status: 503, title: "Not ready" },
  cancelled: { status: 503, title: "Cancelled" },
};

/** How soon to come back, by status. */
const RETRY_AFTER_SECONDS: Readonly<Record<number, number>> = { 429: 1, 503: 10 };

/** Answers an address that nothing else answered. */
export const refuseUnknown: RequestHandler = () => {
  throw new ServiceError(
    "not-found",
    "there is nothing at this address; GET / lists what there is",
  );
};

/** Answers whatever was thrown; what is our own fault is logged with its stack and told to nobody. */
// Express knows an error handler by its four arguments.
// eslint-disable-next-line @typescript-eslint/no-unused-vars
export const answerError: ErrorRequestHandler = (error: unknown, request, response, _next) => {
  const problem = problemOf(error);
  if (problem.status === 500) {
    response.err =
      error instanceof Error ? error : new Error("something else than an error was thrown");
  }
  if (response.headersSent || response.destroyed) {
    request.log[problem.status === 500 ? "error" : "warn"]({ err: error }, "answer broken off");
    response.destroy();
  } else {
    sendProblem(response, problem);
  }
};

function sendProblem(response: Response, problem: Problem): void {
  const retryAfterSeconds = RETRY_AFTER_SECONDS[problem.status];
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
