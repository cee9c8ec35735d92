import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Every, messageOf, ServiceError, systemEvery } from "./base/index.ts";
import { compactHistory, sealInbox } from "./collection/index.ts";
import { asWriter, type Service } from "./service.ts";
import { createApp } from "./web/index.ts";

export interface RunningServer {
  readonly url: string;
  /** Answers what is under way, seals what came in, then stops. */
  close(): Promise<void>;
}

const SEAL_INTERVAL_MS = 60_000;

/** Serves the API and seals the inbox every minute. Throws `conflict` where the port is taken. */
export async function startServer(
  service: Service,
  host: string,
  port: number,
  every: Every = systemEvery,
): Promise<RunningServer> {
  const { store, clock, logger } = service;
  const server = createServer(createApp({ store, clock, logger }));
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const seal = sealing(service);
  const stopSealing = every(SEAL_INTERVAL_MS, () => void seal());
  return {
    url: `http://${host}:${address.port}`,
    close: async () => {
      stopSealing();
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
      });
      await seal();
    },
  };
}

/** Seals and merges small files, one time after the other; what fails stays in the inbox for the next time. */
function sealing(service: Service): () => Promise<void> {
  let last = Promise.resolve();
  const seal = async (): Promise<void> => {
    try {
      await asWriter(service, async () => {
        await sealInbox(service.store);
        await compactHistory(service.store, { mergesMax: 1 });
      });
    } catch (error) {
      const isBusy = error instanceof ServiceError && error.code === "conflict";
      service.logger[isBusy ? "info" : "error"]({ reason: messageOf(error) }, "not sealed");
    }
  };
  return () => (last = last.then(seal));
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
