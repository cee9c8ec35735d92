import {
  acquireWriterLock,
  type Clock,
  createLogger,
  createProblems,
  createProgress,
  type Logger,
  openStore,
  type Problems,
  type Progress,
  type Store,
  silentProgress,
  systemClock,
  whenFree,
} from "./base/index.ts";
import {
  defaultAsOf,
  hasLiveEvents,
  namingDamage,
  noteRetention,
  type RetentionReport,
  resolvedThrough,
  retentionRanAt,
  runRetention,
  type SealReport,
  sealInbox,
  servingAsOf,
  setAsideUnlisted,
} from "./collection/index.ts";
import type { Config } from "./config.ts";
import {
  type Forgotten,
  finishResolving,
  forgetOld,
  knownVisitorsSql,
  resolveInbox,
  resumeErasures,
  writeIdentity,
} from "./customers/index.ts";
import { hasBrowsing, type Materialisation, materialisePopulation } from "./features/index.ts";
import {
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
  /** What is wrong while it serves. */
  readonly problems: Problems;
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
    problems: createProblems(),
    close: () => {
      store.close();
    },
  };
}

/**
 * Runs what changes the history, alone: a second writer is refused, what a killed one left is removed, a file whose people it
 * was taking to their customers and an erasure it began are finished. `name` tells a refused one what this is, as a command
 * without personal data (`import orders.csv`).
 */
export async function asWriter<T>(
  service: Service,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const { sqlite } = service.store;
  const release = acquireWriterLock(service.store, name, service.clock);
  try {
    await whenFree(sqlite, () => {
      setAsideUnlisted(service.store, service.clock);
    });
    await finishResolving(service.store);
    await resumeErasures(service.store, service.clock, service.config);
    return await namingDamage(service.store, work);
  } finally {
    release();
  }
}

/** Takes what waits in the inbox to its customers. */
export type ResolveWaiting = () => Promise<unknown>;

/**
 * Takes what waits in the inbox to its customers, then to the history. Call it as the only writer; where this process
 * serves, with its `resolveWaiting`, which keeps what is at hand of customers in step.
 */
export async function sealResolved(
  { store, clock }: Service,
  resolveWaiting: ResolveWaiting = () => resolveInbox(store, clock),
): Promise<SealReport> {
  await resolveWaiting();
  return sealInbox(store, { through: resolvedThrough(store.sqlite) });
}

/**
 * Takes away what the retention policy keeps no longer, from the history and from profiles; with `dryRun`
 * counts the history's part only. Counted from now; where a store was only ever filled from files, from
 * the end of its data, as everywhere. Call it as the only writer.
 */
export async function applyRetention(
  service: Service,
  {
    dryRun = false,
    resolveWaiting,
  }: { readonly dryRun?: boolean; readonly resolveWaiting?: ResolveWaiting } = {},
): Promise<RetentionReport & Partial<Forgotten>> {
  const { store, clock } = service;
  const now = hasLiveEvents(store) ? clock.now() : defaultAsOf(store, clock);
  if (!dryRun) {
    await sealResolved(service, resolveWaiting);
    await writeIdentity(store, clock);
  }
  const report = await runRetention(
    store,
    { now: () => now },
    { dryRun, wallClock: clock, knownVisitors: () => Promise.resolve(knownVisitorsSql(store)) },
  );
  return dryRun ? report : { ...report, ...(await forgetOld(store, now)) };
}

/**
 * Makes features of products and categories ready for serving: those of the start of the day, of all that was
 * known by then. Call it as no writer; it is one for a moment. `resolveWaiting` is that of `sealResolved`.
 */
export async function materialiseFeatures(
  service: Service,
  resolveWaiting?: ResolveWaiting,
): Promise<Materialisation> {
  const { store, clock } = service;
  const asOf = servingAsOf(store, clock);
  await asWriter(service, "serve: features of products", async () => {
    await sealResolved(service, resolveWaiting);
    await writeIdentity(store, clock);
  });
  return materialisePopulation(store, clock, asOf);
}

const RETENTION_INTERVAL_MS = 86_400_000;

/** Counts the first day of retention from now, where none has begun. */
export async function beginRetention({ store, clock }: Service): Promise<void> {
  if (retentionRanAt(store) === null) {
    await whenFree(store.sqlite, () => {
      noteRetention(store, clock.now());
    });
  }
}

/** Applies the retention policy once a day, the first time a day after a server first ran. */
export async function applyRetentionDaily(
  service: Service,
  resolveWaiting?: ResolveWaiting,
): Promise<void> {
  const { store, clock } = service;
  await beginRetention(service);
  const due = (retentionRanAt(store) ?? Infinity) + RETENTION_INTERVAL_MS;
  if (clock.now() >= due) {
    await applyRetention(service, resolveWaiting === undefined ? {} : { resolveWaiting });
    await whenFree(store.sqlite, () => {
      noteRetention(store, clock.now());
    });
  }
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
  const hasVisits = await hasBrowsing(service.store, asOf);
  const poolDays = options.poolDays ?? (hasVisits ? POOL_DAYS.browsing : POOL_DAYS.ordersOnly);
  return intentTask({ hasVisits, ...options, poolDays });
}
