import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ServiceError } from "./base/index.ts";
import type { Service } from "./service.ts";
import { createApp } from "./web/index.ts";

export interface RunningServer {
  readonly url: string;
  /** Answers what is under way, then stops. */
  close(): Promise<void>;
}

/** Serves the API. Throws `conflict` where the port is taken. */
export async function startServer(
  service: Service,
  host: string,
  port: number,
): Promise<RunningServer> {
  const { store, clock, logger } = service;
  const server = createServer(createApp({ store, clock, logger }));
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new ServiceError(
              "conflict",
              `port ${port} on ${host} is taken; choose another with --port`,
              { field: "port" },
            )
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}
