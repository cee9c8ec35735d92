import type { Request, Response } from "express";
import { type HttpLogger, pinoHttp } from "pino-http";
import type { Logger } from "../base/index.ts";

interface RequestLine {
  readonly method: string;
  /** The pattern, `/v1/customers/{type}/{id}`; null where no route matched. */
  readonly route: string | null;
  /** Null where the client went away before there was one. */
  readonly status: number | null;
  readonly milliseconds: number;
  readonly err?: Error;
}

/** One line per request, after it. Addresses hold identifiers, so no line has one. */
export function requestLog(logger: Logger): HttpLogger<Request, Response> {
  return pinoHttp<Request, Response>({
    logger,
    wrapSerializers: false,
    serializers: { req: () => undefined },
    customAttributeKeys: { responseTime: "milliseconds" },
    customLogLevel: (_request, response) => (response.err === undefined ? "info" : "error"),
    customSuccessObject: lineOf,
    customErrorObject: (request, response, _error, values: { readonly milliseconds: number }) =>
      lineOf(request, response, values),
    customErrorMessage: (_request, response) =>
      response.err === undefined ? "request completed" : "request failed",
  });
}

function lineOf(
  { method }: Request,
  response: Response,
  { milliseconds }: { readonly milliseconds: number },
): RequestLine {
  const route = (response.locals["route"] as string | undefined) ?? null;
  const { statusCode, headersSent, err } = response;
  const status = headersSent ? statusCode : null;
  return { method, route, status, milliseconds, ...(err === undefined ? {} : { err }) };
}
