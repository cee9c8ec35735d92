import { join } from "node:path";
import { createWriteKey } from "../../src/collection/index.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { openService, type Service } from "../../src/service.ts";
import { inFolder } from "./temporary.ts";

/** A server as `herkoop serve` starts it, with a secret key of a shop and a public one of its pages. */
export interface Serving {
  readonly url: string;
  readonly folder: string;
  readonly service: Service;
  readonly secret: string;
  readonly public: string;
  /** Lets a second pass for bodies on their way. */
  readonly second: () => void;
}

const BODY_TICK_MS = 1_000;

/** Runs work with a server over an empty store; nothing happens in it by time alone. */
export async function whileServing(
  work: (serving: Serving) => Promise<void>,
  changes: Partial<Config> = {},
): Promise<void> {
  await inFolder(async (folder) => {
    const config = {
      ...readConfig({ store: join(folder, "store") }),
      logLevel: "silent",
      ...changes,
    };
    const service = await openService(config, { quiet: true });
    try {
      let second = (): void => undefined;
      const server = await startServer(service, "127.0.0.1", 0, (interval, tick) => {
        second = interval === BODY_TICK_MS ? tick : second;
        return () => undefined;
      });
      try {
        const { store, clock } = service;
        await work({
          url: server.url,
          folder: config.storeFolder,
          service,
          secret: createWriteKey(store, clock, "shop").key,
          public: createWriteKey(store, clock, "web", { isPublic: true }).key,
          second: () => {
            second();
          },
        });
      } finally {
        await server.close();
      }
    } finally {
      service.close();
    }
  });
}
