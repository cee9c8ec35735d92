import type { Express } from "express";
import { pino } from "pino";
import request, { type Response } from "supertest";
import { DAY_MS, fixedClock, type Store } from "../../src/base/index.ts";
import { segmentMapping } from "../../src/collection/mapping.ts";
import { publishRun } from "../../src/predictions/prediction-store.ts";
import { refreshAudiences } from "../../src/segments/index.ts";
import { type AppContext, createApp } from "../../src/web/index.ts";
import { withStore } from "./temporary.ts";

/** A Saturday: two days of 2011-W49 are left. */
const AS_OF = Date.parse("2011-12-10T00:00:00Z");
export const clock = fixedClock("2011-12-10T06:00:00Z");

/** An answer whose body a test has to look at before it believes it. */
export type TestAnswer = Omit<Response, "body" | "headers"> & {
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
};

export interface TestApi {
  readonly app: Express;
  readonly store: Store;
  /** What was logged so far, parsed. */
  readonly lines: Readonly<Record<string, unknown>>[];
  readonly get: (address: string) => Promise<TestAnswer>;
  /** Posts JSON (or bytes as they are) with a write key. */
  readonly post: (
    address: string,
    key: string,
    body: object | Buffer,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<TestAnswer>;
}

/** The API over a store (given or empty), with its log. */
export function apiOver(store: Store, given: Partial<AppContext> = {}): TestApi {
  const lines: Record<string, unknown>[] = [];
  const logger = pino(
    { level: "info", base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const app = createApp({ store, clock, logger, ...given });
  return {
    app,
    store,
    lines,
    get: async (address) => request(app).get(address),
    post: async (address, key, body, headers = {}) => {
      const sent = Buffer.isBuffer(body) ? body : JSON.stringify(body);
      const post = request(app).post(address).auth(key, "").set("Content-Type", "text/plain");
      // The agent would write bytes as a form if it were told that they are one.
      return post
        .set(headers)
        .serialize((given: string) => given)
        .send(sent);
    },
  };
}

/** Runs work with the API over an empty store. */
export async function withEmptyApi(
  work: (api: TestApi) => Promise<void>,
  given: Partial<AppContext> = {},
): Promise<void> {
  await withStore((store) => work(apiOver(store, given)));
}

/** Runs work with the API over the shop of `fillShop`. */
export async function withShopApi(
  work: (api: TestApi) => Promise<void>,
  given: Partial<AppContext> = {},
): Promise<void> {
  await withStore(async (store) => {
    await fillShop(store);
    return work(apiOver(store, given));
  });
}

export const STAMPS = {
  repurchase: {
    modelVersion: "repurchase-v1",
    asOf: "2011-12-10T00:00:00Z",
    dataThrough: "2011-12-09T00:00:00Z",
    computedAt: "2011-12-10T06:00:00Z",
  },
  intent: {
    modelVersion: "intent-v1",
    asOf: "2011-12-10T00:00:00Z",
    dataThrough: "2011-12-09T00:00:00Z",
    computedAt: "2011-12-10T06:00:00Z",
  },
} as const;

/** Of the pool's 12 candidates, those whose consent is on record: positions 3 and 4 are missing. */
export const POOL_POSITIONS = [1, 2, 5, 6, 7, 8, 9, 10, 11, 12];

export const CURVE = [
  { pruned: 0, kept: 1, low: 1, high: 1 },
  { pruned: 0.4, kept: 0.99, low: 0.96, high: 1 },
  { pruned: 0.6, kept: 0.9, low: 0.86, high: 0.94 },
];

/**
 * Thirteen customers: 1 is jan.jansen, 2 has a formula for an id, 3 never consented, 4 refused, 5 has no
 * predictions. All but 5 are in the retargeting pool, at 0.9, 0.85, ...; 1 to 4 buy A, 1 also B.
 */
export async function fillShop(store: Store): Promise<void> {
  addHistory(store);
  addVersion(store, "repurchase-week", "repurchase-v1", "logistic-hazard", []);
  addVersion(store, "conversion-intent", "intent-v1", "network", CURVE);
  for (let id = 1; id <= 13; id++) {
    const value = { 1: "jan.jansen", 2: "=cmd()" }[id] ?? `user-${id}`;
    addCustomer(store, id, value, id === 3 ? null : id === 4 ? "denied" : "granted");
  }
  store.sqlite.exec(
    `INSERT INTO identifier (type, value, customer_id, source, first_seen_at, linked_at) VALUES ('anonymous_id', 'cookie/1', 1, 'shop', ${AS_OF}, 0);
     INSERT INTO product VALUES ('A', 'Lavender "soap", 2 pieces'), ('B', NULL)`,
  );
  await publishShop(store);
}

/** Scores the shop (again) and publishes its audiences. */
export async function publishShop(store: Store): Promise<void> {
  const common = { asOf: AS_OF, dataThrough: AS_OF - DAY_MS, computedAt: clock.now() };
  const buyer = (customerId: number, product: string, probabilities: readonly number[]) => ({
    customerId,
    product,
    probabilities,
    percentile: 0.75,
    facts: { daysSinceLastPurchase: 31, meanGapDays: null },
  });
  await publishRun(store, { ...common, model: "repurchase-week", versionId: "repurchase-v1" }, [
    ...[1, 2, 3, 4].map((id) => buyer(id, "A", [0.14, 0.07, 0.07, 0.72])),
    buyer(1, "B", [0.07, 0.07, 0.07, 0.79]),
  ]);
  await publishRun(
    store,
    { ...common, model: "conversion-intent", versionId: "intent-v1" },
    [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13].map((customerId, index) => ({
      customerId,
      product: "",
      probabilities: [0.9 - 0.05 * index, 0.1 + 0.05 * index],
      percentile: 1 - index / 12,
      facts: { orders: 13 - customerId },
    })),
  );
  await refreshAudiences(store, clock, { minimumProbability: 0.05 });
}

function addCustomer(
  store: Store,
  id: number,
  value: string,
  consent: "granted" | "denied" | null,
): void {
  const { sqlite } = store;
  sqlite
    .prepare("INSERT INTO customer (id, first_seen_at) VALUES (?, ?)")
    .run(id, AS_OF - id * DAY_MS);
  sqlite
    .prepare(
      "INSERT INTO identifier (type, value, customer_id, source, first_seen_at, linked_at) VALUES ('user_id', ?, ?, 'shop', 0, 0)",
    )
    .run(value, id);
  for (const purpose of consent === null ? [] : ["advertising", "personalisation"]) {
    sqlite
      .prepare(
        "INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at) VALUES (?, ?, ?, 'shop', 'opt-in at checkout', ?)",
      )
      .run(id, purpose, consent, AS_OF);
  }
}

function addHistory(store: Store): void {
  store.sqlite.exec(
    `INSERT INTO source VALUES ('shop', '${JSON.stringify(segmentMapping("shop"))}', 0);
     INSERT INTO import_run VALUES ('run', 'shop', 'f', 'c', 'occurred', 10, 10, 0, 0, NULL, 0);
     INSERT INTO history_file (name, source, import_run_id, row_count, first_occurred_at, last_occurred_at, last_known_at, is_resolved)
     VALUES ('a', 'shop', 'run', 7, 0, ${AS_OF - 2 * DAY_MS}, ${AS_OF}, 1),
                                     ('b', 'shop', 'run', 3, 0, ${AS_OF - DAY_MS}, ${AS_OF}, 1)`,
  );
}

function addVersion(
  store: Store,
  model: string,
  id: string,
  champion: string,
  pruning: readonly object[],
): void {
  store.sqlite
    .prepare("INSERT INTO model_version VALUES (?, ?, ?, 'folder', ?, ?, ?, ?)")
    .run(
      id,
      model,
      champion,
      JSON.stringify(cardOf(model, champion, pruning)),
      AS_OF,
      AS_OF - DAY_MS,
      clock.now(),
    );
  store.sqlite.prepare("INSERT INTO model_alias VALUES (?, 'champion', ?)").run(model, id);
}

/** A card; the AUC of the network is undefined, as of a test with one class. */
export function cardOf(model: string, champion: string, pruning: readonly object[]): object {
  const system = (auc: number | null) => ({
    metrics: { auc, log_loss: 0.5 },
    perInterval: [{ auc, averagePrecision: 0.2, brier: 0.1, forecast: 0.1, observed: 0.1 }],
    calibration: { intercept: 0, slope: 1 },
    seconds: 1.5,
  });
  return {
    model,
    intervals: 3,
    intervalDays: 7,
    seed: 7,
    backend: "cpu",
    trainingCutoffs: ["2011-10-01T00:00:00Z"],
    calibrationCutoffs: ["2011-10-29T00:00:00Z"],
    testCutoffs: ["2011-11-12T00:00:00Z", "2011-11-19T00:00:00Z"],
    judgedAt: "2011-12-10T00:00:00Z",
    rows: { training: 100, calibration: 20, test: 20 },
    testEventShare: 0.25,
    systems: { network: system(null), "logistic-hazard": system(0.7), marginal: system(0.5) },
    champion,
    gate: {
      bestBaseline: "logistic-hazard",
      advantage: { mean: -0.01, low: -0.02, high: 0 },
      isPassed: champion === "network",
    },
    reliability: [{ count: 20, forecast: 0.2, observed: 0.25 }],
    pruning,
    cost: { featureRowsPerSecond: 1000, trainingRowsPerSecond: 1000, peakMemoryMiB: 100 },
  };
}
