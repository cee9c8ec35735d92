import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Express } from "express";

/** Longer than a process under a flood works in one turn: it would close connections on which requests wait. */
const KEEP_ALIVE_MS = 30_000;

/** A request's head, from the start of its connection. */
const HEADERS_MS = 10_000;

/** A whole request; bodies that the app reads have less (intake.ts). */
const REQUEST_MS = 35_000;

const CHECK_MS = 1_000;

const CONNECTIONS_MAX = 4_096;

/**
 * An HTTP server of an app, which does not listen yet. Its requests and responses are made with the app's prototypes.
 * Express would give them those on arrival, and V8 then moves what such a request refers to into the old generation:
 * 16 KB a request that is over in a millisecond (docs/decisions/0016). Slow requests end in time, and no address has
 * more connections than are still free.
 */
export function createHttpServer(app: Express, connectionsMax = CONNECTIONS_MAX): Server {
  class Request extends IncomingMessage {}
  class Response extends ServerResponse {}
  app.request = Object.setPrototypeOf(Request.prototype, app.request) as Express["request"];
  app.response = Object.setPrototypeOf(Response.prototype, app.response) as Express["response"];
  const server = createServer(
    {
      IncomingMessage: Request,
      ServerResponse: Response,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: CHECK_MS,
    },
    app,
  );
  server.on("connection", sharingConnections(connectionsMax));
  return server;
}

/** Ends a new connection whose address would have more than are still free. */
function sharingConnections(connectionsMax: number): (socket: Socket) => void {
  const counts = new Map<string, number>();
  let open = 0;
  return (socket) => {
    const address = socket.remoteAddress ?? "";
    const own = (counts.get(address) ?? 0) + 1;
    if (own > connectionsMax - open) {
      socket.destroy();
      return;
    }
    open++;
    counts.set(address, own);
    socket.once("close", () => {
      open--;
      const left = (counts.get(address) ?? 1) - 1;
      if (left === 0) {
        counts.delete(address);
      } else {
        counts.set(address, left);
      }
    });
  };
}
