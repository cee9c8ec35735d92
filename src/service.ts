import {
  acquireWriterLock,
  type Clock,
  createLogger,
  createProgress,
  type Logger,
  openStore,
  type Progress,
  type Store,
  silentProgress,
  systemClock,
} from "./base/index.ts";
import { removeUnlistedHistory, type SealReport, sealInbox } from "./collection/index.ts";
import type { Config } from "./config.ts";
import { resolveInbox, resumeErasures } from "./customers/index.ts";
import { hasBrowsing } from "./features/index.ts";
import {
  defaultAsOf,
  intentTask,
  type ModelName,
  type ModelTask,
  repurchaseTask,
  type TaskOptions,
  type TrainingContext,
} from "./models/index.ts";

/** What every command works with: the store, the clock, where models lie, and who hears of progress. */
export interface Service {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: Progress;
  close(): void;
}

/** Opens the store and wires the service; with `quiet`, progress is not told. */
export async function openService(
  config: Config,
  options: { readonly quiet?: boolean } = {},
): Promise<Service> {
  const store = await openStore(config.storeFolder);
  return {
    config,
    store,
    clock: systemClock,
    logger: createLogger(config.logLevel),
    progress: options.quiet === true ? silentProgress : createProgress(),
    close: () => {
      store.close();
    },
  };
}

/** Runs what changes the history, alone: a second writer is refused, what a killed one left is removed, an erasure it began is finished. */
export async function asWriter<T>(service: Service, work: () => Promise<T>): Promise<T> {
  const release = acquireWriterLock(service.store);
  try {
    removeUnlistedHistory(service.store);
    await resumeErasures(service.store, service.clock, service.config);
    return await work();
  } finally {
    release();
  }
}

/** Takes what waits in the inbox to its customers, then to the history. Call it as the only writer. */
export function sealResolved({ store, clock }: Service): Promise<SealReport> {
  return sealInbox(store, { through: resolveInbox(store, clock) });
}

/** What training, back-tests and scoring work with, as of an instant (the end of the data unless given). */
export function trainingContext(service: Service, asOf?: number): TrainingContext {
  const { store, clock, logger, progress, config } = service;
  return {
    store,
    clock,
    logger,
    progress,
    modelsFolder: config.modelsFolder,
    asOf: asOf ?? defaultAsOf(store, clock),
  };
}

/** Where a shop sends no browsing, silence is normal: its pool reaches back a year instead of a month. */
const POOL_DAYS = { browsing: 30, ordersOnly: 365 };

/** The task of a model, with the pool that suits the store's data unless the options say otherwise. */
export async function taskOf(
  service: Service,
  model: ModelName,
  options: TaskOptions,
  asOf = defaultAsOf(service.store, service.clock),
): Promise<ModelTask> {
  if (model === "repurchase-week") {
    return repurchaseTask(options);
  }
  return intentTask({ ...options, poolDays: options.poolDays ?? (await poolDays(service, asOf)) });
}

async function poolDays(service: Service, asOf: number): Promise<number> {
  return (await hasBrowsing(service.store, asOf)) ? POOL_DAYS.browsing : POOL_DAYS.ordersOnly;
}
