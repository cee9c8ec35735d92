import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createLogger,
  fixedClock,
  openStore,
  type Store,
  silentProgress,
} from "../../src/base/index.ts";
import {
  createCollector,
  createWriteKey,
  defaultAsOf,
  sealInbox,
} from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { resolveCustomers, writeIdentity } from "../../src/customers/index.ts";
import { intentTask, repurchaseTask, trainModel } from "../../src/models/index.ts";
import { scoreAll } from "../../src/predictions/index.ts";
import { exportAudiences, refreshAudiences } from "../../src/segments/index.ts";
import { smallIntentChampion } from "./intent.ts";
import { orderCall } from "./live.ts";
import { importLines, rhythmicOrders, shopMapping } from "./shop.ts";

/** Soon after the last order of the shop. */
const faultClock = fixedClock("2023-05-01T00:00:00Z");

export const ORDERS_PER_FILE = 400;
const VIEWS_PER_FILE = 100;

/** Writes a file of orders, and of old views that retention takes away, of which no row is in another file. */
export function ordersFile(folder: string, name: string): string {
  const recent = "2026-01-05T10:00:00Z";
  const old = "2020-01-05T10:00:00Z";
  const row = (event: string, index: number, at: string): string =>
    `${name},,${event},${name}-${index},A,1,10,${at},${at}`;
  const orders = Array.from({ length: ORDERS_PER_FILE }, (_, at) => row("order", at, recent));
  const views = Array.from({ length: VIEWS_PER_FILE }, (_, at) => row("view", at, old));
  mkdirSync(join(folder, "..", "files"), { recursive: true });
  const file = join(folder, "..", "files", `${name}.csv`);
  const lines = ["user,visitor,event,order,product,quantity,price,at,known", ...orders, ...views];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

/** Folders of stores that were made once, of which tests get copies. */
export interface Templates {
  /** A copy of a shop with files, live events, customers, consents, two champions, predictions and audiences. */
  shop(): string;
  /** A new folder, removed at the end. */
  folder(): string;
  remove(): void;
}

export const MESSAGES = 40;

/** The calls that the template's shop took in. */
export const shopCalls = (): object[] =>
  Array.from({ length: MESSAGES }, (_, index) =>
    orderCall(`live-${index}`, {
      userId: `u${index % 7}`,
      anonymousId: `visitor-${index % 9}`,
      timestamp: "2023-04-20T10:00:00Z",
      context: { consent: { categoryPreferences: { Advertising: index % 2 === 0 } } },
    }),
  );

/** Makes the shop once; `hasModels` trains and scores it, which takes some seconds. */
export async function makeTemplates({
  hasModels,
}: {
  readonly hasModels: boolean;
}): Promise<Templates> {
  const root = mkdtempSync(join(tmpdir(), "herkoop-test-"));
  const origin = join(root, "origin", "store");
  mkdirSync(join(root, "origin"));
  const store = await openStore(origin);
  try {
    await fill(store, join(root, "origin"));
    if (hasModels) {
      await serveModels(store);
    }
    store.sqlite.pragma("wal_checkpoint(TRUNCATE)");
  } finally {
    store.close();
  }
  let copies = 0;
  const folder = (): string => {
    const made = join(root, String(++copies));
    mkdirSync(made);
    return made;
  };
  return {
    folder,
    shop: () => {
      const copy = join(folder(), "store");
      cpSync(origin, copy, { recursive: true });
      return copy;
    },
    remove: () => {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function fill(store: Store, folder: string): Promise<void> {
  createWriteKey(store, faultClock, "webshop");
  const consent = { basis: "test", purposes: ["advertising", "personalisation"] };
  await importLines(store, folder, rhythmicOrders(40, 120), shopMapping({ consent }));
  await createCollector(store, faultClock).collect({ source: "webshop", calls: shopCalls() });
  await resolveCustomers(store, faultClock);
  await sealInbox(store);
  await writeIdentity(store, faultClock);
}

async function serveModels(store: Store): Promise<void> {
  const { modelsFolder } = readConfig({ store: store.folder });
  const context = {
    ...{ store, clock: faultClock, modelsFolder, asOf: defaultAsOf(store, faultClock) },
    ...{ logger: createLogger("silent"), progress: silentProgress },
  };
  // One cutoff is enough for a baseline.
  await trainModel(context, { ...repurchaseTask(), maximumCutoffs: 2 });
  await smallIntentChampion(store, modelsFolder);
  await scoreAll(context, repurchaseTask());
  await scoreAll(context, intentTask({ hasVisits: false, poolDays: 365 }));
  await refreshAudiences(store, faultClock, { minimumProbability: 0.05 });
  await exportAudiences(store, store.path("audiences"));
}
