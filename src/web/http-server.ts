import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Express } from "express";

/** Longer than a process under a flood works in one turn: it would close connections on which requests wait. */
const KEEP_ALIVE_MS = 30_000;

/**
 * An HTTP server of an app, which does not listen yet. Its requests and responses are made with the app's prototypes.
 * Express would give them those on arrival, and V8 then moves what such a request refers to into the old generation:
 * 16 KB a request that is over in a millisecond (docs/decisions/0016).
 */
export function createHttpServer(app: Express): Server {
  class Request extends IncomingMessage {}
  class Response extends ServerResponse {}
  app.request = Object.setPrototypeOf(Request.prototype, app.request) as Express["request"];
  app.response = Object.setPrototypeOf(Response.prototype, app.response) as Express["response"];
  return createServer(
    { IncomingMessage: Request, ServerResponse: Response, keepAliveTimeout: KEEP_ALIVE_MS },
    app,
  );
}
