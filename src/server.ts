import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  beside,
  DAY_MS,
  type Every,
  eventLoopLoad,
  isBusy,
  type Load,
  messageOf,
  nextTurn,
  openCheckpointer,
  ServiceError,
  systemEvery,
  waitOffLoop,
  whenFree,
} from "./base/index.ts";
import {
  compactHistory,
  openSlowVerification,
  resolvedThrough,
  sealInbox,
} from "./collection/index.ts";
import { createLiveResolver } from "./customers/index.ts";
import { type OnlineStore, openOnlineStore } from "./features/index.ts";
import { type LiveIntent, openLiveIntent } from "./predictions/index.ts";
import {
  applyRetentionDaily,
  asWriter,
  beginRetention,
  materialiseFeatures,
  type ResolveWaiting,
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
/** A history file each time, so that damage is found before somebody needs the file. */
const VERIFY_INTERVAL_MS = 300_000;

/** Serves the API, takes live events to their customers, and seals the inbox every minute. Throws `conflict` where the port is taken. */
export async function startServer(
  service: Service,
  host: string,
  port: number,
  every: Every = systemEvery,
  load: Load = eventLoopLoad(),
): Promise<RunningServer> {
  const { store, clock, logger, problems } = service;
  const waitAgain = waitOffLoop(store.sqlite);
  const online = openOnlineStore(store);
  const { modelsFolder } = service.config;
  const intent = openLiveIntent({ store, clock, logger, online, modelsFolder });
  const resolveNext = resolving(service, online, intent);
  const resolve = (): boolean => isMoreUnlessBusy(resolveNext);
  const server = createHttpServer(
    createApp({
      store,
      clock,
      logger,
      allowedHosts: [...service.config.allowedHosts, host],
      privateFolders: [modelsFolder],
      resolveWaiting: resolve,
      online,
      intent,
      every,
      problems,
    }),
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
  await beginRetention(service);
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const background = { ...service, store: beside(store) };
  const resolveWaiting = async (): Promise<void> => {
    while (await whenFree(store.sqlite, resolveNext)) {
      await nextTurn();
    }
  };
  const seal = sealing(background, resolveWaiting);
  const materialise = materialising(background, resolveWaiting);
  const stopSealing = every(SEAL_INTERVAL_MS, () => void seal().then(materialise));
  const stopVerifying = every(VERIFY_INTERVAL_MS, verifying(service));
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
      stopVerifying();
      stopCheckpoints();
      await checkpointer.close();
      await seal(resolveWaiting);
      await materialise.ended();
      waitAgain();
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
function sealing(
  service: Service,
  resolveWaiting: ResolveWaiting,
): (first?: ResolveWaiting) => Promise<void> {
  let last = Promise.resolve();
  const seal = async (first: ResolveWaiting | undefined): Promise<void> => {
    try {
      await first?.();
      await asWriter(service, async () => {
        await sealInbox(service.store, { through: resolvedThrough(service.store.sqlite) });
        await compactHistory(service.store, { mergesMax: 1 });
        await applyRetentionDaily(service, resolveWaiting);
      });
    } catch (error) {
      service.logger[isForOthers(error) ? "info" : "error"](
        { reason: messageOf(error) },
        "not sealed",
      );
    }
  };
  return (first) => (last = last.then(() => seal(first)));
}

/** Whether it failed because another process is writing; the next time will do. */
function isForOthers(error: unknown): boolean {
  return isBusy(error) || (error instanceof ServiceError && error.code === "conflict");
}

/** Makes a new day's features of products and categories ready, beside everything else; what fails waits for the next time. */
function materialising(
  service: Service,
  resolveWaiting: ResolveWaiting,
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
      service.logger[isForOthers(error) ? "info" : "error"](
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

/** Checks the history file by file, and tells in health what is damaged. */
function verifying({ store, logger, problems }: Service): () => void {
  const verifyNext = openSlowVerification(store);
  let isRunning = false;
  const run = async (): Promise<void> => {
    try {
      const damaged = await verifyNext();
      const said = damaged.map(({ file, damage }) => `${file}: ${damage}`).join("; ");
      if (said === "") {
        problems.clear("damaged-history");
      } else {
        problems.report(
          "damaged-history",
          `${said}; put it back from a backup, then run herkoop doctor`,
        );
        logger.error({ damaged }, "history files are damaged");
      }
    } catch (error) {
      logger.error({ reason: messageOf(error) }, "history not verified");
    }
  };
  return () => {
    if (!isRunning) {
      isRunning = true;
      void run().finally(() => {
        isRunning = false;
      });
    }
  };
}

/** Resolves the next live lines; what fails waits for the next time, and is told once. */
/** Passes over a turn in which another process writes. */
function isMoreUnlessBusy(work: () => boolean): boolean {
  try {
    return work();
  } catch (error) {
    if (isBusy(error)) {
      return false;
    }
    throw error;
  }
}

/** Resolves the next live lines; what fails waits for the next time, and is told once. Throws `busy` only. */
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
      if (isBusy(error)) {
        throw error;
      }
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
