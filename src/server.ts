import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  beside,
  DAY_MS,
  type Every,
  eventLoopLoad,
  type Load,
  messageOf,
  openCheckpointer,
  ServiceError,
  systemEvery,
} from "./base/index.ts";
import { compactHistory, resolvedThrough, sealInbox } from "./collection/index.ts";
import { createLiveResolver } from "./customers/index.ts";
import { type OnlineStore, openOnlineStore } from "./features/index.ts";
import { type LiveIntent, openLiveIntent } from "./predictions/index.ts";
import { openFileCleaner } from "./segments/index.ts";
import {
  applyRetentionDaily,
  asWriter,
  beginRetention,
  materialiseFeatures,
  type Service,
} from "./service.ts";
import { createApp, createHttpServer } from "./web/index.ts";

export interface RunningServer {
  readonly url: string;
  /** Answers what is under way, seals what came in, then stops. */
  close(): Promise<void>;
}

const SEAL_INTERVAL_MS = 60_000;
const RESOLVE_INTERVAL_MS = 50;
const CHECKPOINT_INTERVAL_MS = 10_000;

/** Serves the API, takes live events to their customers, and seals the inbox every minute. Throws `conflict` where the port is taken. */
export async function startServer(
  service: Service,
  host: string,
  port: number,
  every: Every = systemEvery,
  load: Load = eventLoopLoad(),
): Promise<RunningServer> {
  const { store, clock, logger, problems } = service;
  const online = openOnlineStore(store);
  const { modelsFolder } = service.config;
  const intent = openLiveIntent({ store, clock, logger, online, modelsFolder });
  const resolve = resolving(service, online, intent);
  const server = createHttpServer(
    createApp({ store, clock, logger, resolveWaiting: resolve, online, intent, every, problems }),
  );
  let isClosing = false;
  server.on("request", (_request, response) => {
    response.once("close", () => {
      if (isClosing) {
        server.closeIdleConnections();
      }
    });
  });
  // At the first seal it would throw away what is at hand of customers by then.
  beginRetention(service);
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const background = { ...service, store: beside(store) };
  const resolveWaiting = (): void => {
    while (resolve());
  };
  const seal = sealing(background, resolveWaiting);
  const materialise = materialising(background, resolveWaiting);
  const cleanFiles = cleaning(background);
  const stopSealing = every(SEAL_INTERVAL_MS, () => {
    void cleanFiles();
    void seal().then(materialise);
  });
  const checkpointer = openCheckpointer(store.sqlite);
  const stopCheckpoints = every(CHECKPOINT_INTERVAL_MS, () => void checkpointer.run());
  const stopResolving = every(RESOLVE_INTERVAL_MS, whenIdle(load, resolve));
  return {
    url: `http://${host}:${address.port}`,
    close: async () => {
      stopSealing();
      isClosing = true;
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
      });
      stopResolving();
      stopCheckpoints();
      await checkpointer.close();
      resolveWaiting();
      await seal();
      await materialise.ended();
      await cleanFiles();
    },
  };
}

/** Ticks that may be passed over in a row while requests keep the process busy: a second. */
const PASSED_TICKS_MAX = 20;

/** From this load on, requests wait for each other. */
const BUSY = 0.8;

/** Passes over ticks while requests keep the process busy: collecting goes first, and resolving catches up. */
function whenIdle(load: Load, work: () => unknown): () => void {
  let passed = 0;
  let isBusy = false;
  return () => {
    const share = load.share();
    // After a long batch the next tick comes at once: then what was found before it holds.
    isBusy = share === undefined ? isBusy : share > BUSY;
    passed = isBusy && passed < PASSED_TICKS_MAX ? passed + 1 : 0;
    if (passed === 0) {
      work();
      load.leaveOut();
    }
  };
}

/** Seals and merges small files, one time after the other; what fails stays in the inbox for the next time. */
function sealing(service: Service, resolveWaiting: () => void): () => Promise<void> {
  let last = Promise.resolve();
  const seal = async (): Promise<void> => {
    try {
      await asWriter(service, async () => {
        await sealInbox(service.store, { through: resolvedThrough(service.store.sqlite) });
        await compactHistory(service.store, { mergesMax: 1 });
        await applyRetentionDaily(service, resolveWaiting);
      });
    } catch (error) {
      const isBusy = error instanceof ServiceError && error.code === "conflict";
      service.logger[isBusy ? "info" : "error"]({ reason: messageOf(error) }, "not sealed");
    }
  };
  return () => (last = last.then(seal));
}

/** Takes who withdrew out of the audience files, one time after the other; what fails waits for the next time. */
function cleaning({ store, logger }: Service): () => Promise<void> {
  const clean = openFileCleaner(store);
  let last = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      const { files, removed } = await clean();
      if (removed > 0) {
        logger.info({ files, removed }, "rows removed from audience files");
      }
    } catch (error) {
      logger.error({ reason: messageOf(error) }, "audience files not cleaned");
    }
  };
  return () => (last = last.then(run));
}

/** Makes a new day's features of products and categories ready, beside everything else; what fails waits for the next time. */
function materialising(
  service: Service,
  resolveWaiting: () => void,
): (() => void) & { ended(): Promise<void> } {
  let running: Promise<void> | undefined;
  let doneOn = -1;
  const run = async (): Promise<void> => {
    const today = Math.floor(service.clock.now() / DAY_MS);
    try {
      if (doneOn < today) {
        await materialiseFeatures(service, resolveWaiting);
        doneOn = today;
      }
    } catch (error) {
      const isBusy = error instanceof ServiceError && error.code === "conflict";
      service.logger[isBusy ? "info" : "error"](
        { reason: messageOf(error) },
        "features of products not made ready",
      );
    }
  };
  const start = (): void => {
    running ??= run().finally(() => {
      running = undefined;
    });
  };
  return Object.assign(start, { ended: async () => running });
}

/** Resolves the next live lines; what fails waits for the next time, and is told once. */
function resolving(service: Service, online: OnlineStore, intent: LiveIntent): () => boolean {
  const resolveNext = createLiveResolver(service.store, service.clock, (taken) => {
    online.take(taken);
    intent.take(taken);
  });
  let isTold = false;
  return () => {
    try {
      const isMore = resolveNext();
      isTold = false;
      return isMore;
    } catch (error) {
      if (!isTold) {
        service.logger.error({ reason: messageOf(error) }, "not resolved");
      }
      isTold = true;
      return false;
    }
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
