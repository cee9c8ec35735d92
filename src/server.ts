import { setMaxListeners } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { cleaning, verifying } from "./background.ts";
import {
  acquireServerLock,
  beside,
  DAY_MS,
  type Every,
  eventLoopLoad,
  isBusy,
  type Load,
  type Lock,
  messageOf,
  nextTurn,
  openCheckpointer,
  ServiceError,
  systemEvery,
  waitOffLoop,
  whenFree,
} from "./base/index.ts";
import { closeConnections, endsWithin } from "./closing.ts";
import { compactHistory, resolvedThrough, sealInbox } from "./collection/index.ts";
import { createLiveResolver } from "./customers/index.ts";
import { type OnlineStore, openOnlineStore } from "./features/index.ts";
import { listenError } from "./listen-error.ts";
import { type LiveIntent, openLiveIntent } from "./predictions/index.ts";
import { watchSealing } from "./seal-watch.ts";
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
  /**
   * Stops listening, tells streams to connect again, lets running requests finish and cuts what is left at the shutdown
   * deadline; then seals what came in, within the same time once more. Returns false where that was too short, so that
   * work still runs; its events are safe in the inbox.
   */
  close(): Promise<boolean>;
}

/** What a server can be told besides its address. */
export interface ServerOptions {
  /** How long requests may take while it closes; the config's unless given. */
  readonly shutdownSeconds?: number;
  /** The store's server lock, where the caller holds it already; it goes when the server closes or can't start. */
  readonly lock?: Lock;
}

const SEAL_INTERVAL_MS = 60_000;
const RESOLVE_INTERVAL_MS = 50;
const CHECKPOINT_INTERVAL_MS = 10_000;
/** A history file each time, so that damage is found before somebody needs the file. */
const VERIFY_INTERVAL_MS = 300_000;

/**
 * Serves the API, takes live events to their customers, and seals the inbox every minute. Throws `conflict` where the
 * port is taken or another server serves the store, `invalid-input` where the port or the host cannot be used.
 */
export async function startServer(
  service: Service,
  host: string,
  port: number,
  every: Every = systemEvery,
  load: Load = eventLoopLoad(),
  options: ServerOptions = {},
): Promise<RunningServer> {
  const lock = options.lock ?? acquireServerLock(service.store, service.clock);
  const { shutdownSeconds = service.config.shutdownSeconds } = options;
  try {
    return await serve(service, { host, port, every, load, lock, closeMs: shutdownSeconds * 1000 });
  } catch (error) {
    lock.release();
    throw error;
  }
}

interface Serving {
  readonly host: string;
  readonly port: number;
  readonly every: Every;
  readonly load: Load;
  readonly lock: Lock;
  readonly closeMs: number;
}

async function serve(
  service: Service,
  { host, port, every, load, lock, closeMs }: Serving,
): Promise<RunningServer> {
  const { store, clock, logger, problems } = service;
  const waitAgain = waitOffLoop(store.sqlite);
  const online = openOnlineStore(store);
  const { modelsFolder } = service.config;
  const intent = openLiveIntent({ store, clock, logger, online, modelsFolder, problems });
  const resolveNext = resolving(service, online, intent);
  const resolve = (): boolean => isMoreUnlessBusy(resolveNext);
  const closing = new AbortController();
  // Each open stream listens.
  setMaxListeners(0, closing.signal);
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
      closing: closing.signal,
    }),
  );
  server.on("request", (_request, response) => {
    response.once("close", () => {
      if (closing.signal.aborted) {
        server.closeIdleConnections();
      }
    });
  });
  // At the first seal it would throw away what is at hand of customers by then.
  await beginRetention(service);
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const url = `http://${host}:${address.port}`;
  lock.tell({ address: url });
  const background = { ...service, store: beside(store) };
  const resolveWaiting = async (): Promise<void> => {
    while (await whenFree(store.sqlite, resolveNext)) {
      await nextTurn();
    }
  };
  const seal = sealing(background, resolveWaiting);
  const materialise = materialising(background, resolveWaiting);
  const cleanFiles = cleaning(background);
  const stopSealing = every(SEAL_INTERVAL_MS, () => {
    void cleanFiles();
    void seal.all().then(materialise);
  });
  const stopVerifying = every(VERIFY_INTERVAL_MS, verifying(service));
  const checkpointer = openCheckpointer(store.sqlite);
  const stopCheckpoints = every(CHECKPOINT_INTERVAL_MS, () => void checkpointer.run());
  const stopResolving = every(RESOLVE_INTERVAL_MS, whenIdle(load, resolve));
  const finish = async (isLate: () => boolean): Promise<void> => {
    // A request that was cut may be about to commit what it brought.
    await nextTurn();
    await checkpointer.close();
    while (!isLate() && (await whenFree(store.sqlite, resolveNext))) {
      await nextTurn();
    }
    await seal.last();
    await materialise.ended();
    await cleanFiles();
    // Either of them may have held the lock that the seal needed.
    await seal.last();
    waitAgain();
  };
  const close = async (): Promise<boolean> => {
    stopSealing();
    closing.abort();
    await closeConnections(server, every, closeMs);
    stopResolving();
    stopVerifying();
    stopCheckpoints();
    const isFinished = await endsWithin(every, closeMs, finish);
    if (!isFinished) {
      logger.warn("stopped before everything was sealed; the next start goes on from here");
    }
    lock.release();
    return isFinished;
  };
  let closed: Promise<boolean> | undefined;
  return { url, close: () => (closed ??= close()) };
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

interface Sealing {
  /** Seals, merges small files, and applies the day's retention. */
  all(): Promise<void>;
  /** Seals only. */
  last(): Promise<void>;
}

/** Seals, one time after the other; what fails stays in the inbox for the next time, and is told after ten minutes. */
function sealing(service: Service, resolveWaiting: ResolveWaiting): Sealing {
  const { store, clock, logger, problems } = service;
  const watch = watchSealing(clock, logger, problems);
  let previous = Promise.resolve();
  const attempt = async (andThen: () => Promise<void>): Promise<void> => {
    try {
      await asWriter(service, "serve (sealing)", async () => {
        await sealInbox(store, { through: resolvedThrough(store.sqlite) });
        watch.succeed();
        await andThen();
      });
    } catch (error) {
      const isOthers = isForOthers(error);
      watch.fail(isOthers ? messageOf(error) : "it fails; the server's log says why");
      logger[isOthers ? "info" : "error"]({ reason: messageOf(error) }, "not sealed");
    }
  };
  return {
    all: () => {
      watch.check();
      previous = previous.then(() =>
        attempt(async () => {
          await compactHistory(store, { mergesMax: 1 });
          await applyRetentionDaily(service, resolveWaiting);
        }),
      );
      return previous;
    },
    last: () => (previous = previous.then(() => attempt(() => Promise.resolve()))),
  };
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
      reject(listenError(error, host, port) ?? error);
    });
    server.listen(port, host, resolve);
  });
}
