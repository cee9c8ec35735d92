import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, literal, type Spark, type SqlRow, type Store } from "../../src/base/index.ts";
import { resolvedThrough, sealInbox } from "../../src/collection/index.ts";
import { resolveCustomers, writeIdentity } from "../../src/customers/index.ts";
import { factsFolder, writeFacts } from "../../src/features/facts.ts";
import {
  type BuildRequest,
  buildOnSpark,
  featuresNamed,
  intentService,
  openOfflineStore,
  repurchaseService,
  type SparkEngine,
  wholeService,
} from "../../src/features/index.ts";
import { writeFactsOnSpark } from "../../src/features/spark-facts-store.ts";
import type { Dataset } from "../../src/models/dataset.ts";
import { readDataset } from "../../src/models/dataset-store.ts";
import { importLines, rhythmicOrders, shopClock, shopMapping } from "../support/shop.ts";
import { clusterConf, installedSpark, withCluster } from "../support/spark.ts";
import { openStream, settableClock, streamStep } from "../support/stream.ts";
import { withStore } from "../support/temporary.ts";

const MIDNIGHT = Date.parse("2024-04-01T00:00:00Z");
const ODD = Date.parse("2024-05-11T15:17:03.250Z");
const STREAM_BEGINS = Date.parse("2024-01-02T09:00:00Z");
const STREAM_ENDS = Date.parse("2024-06-20T00:00:00Z");

/** Little is compiled for little: these data are small, the queries are not. */
const quickConf = { "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1" };

type Request = Omit<BuildRequest, "file">;

const WEEKS = [4, 12].map((count) => ({
  count,
  lengthMs: 7 * DAY_MS,
  knownBefore: ODD + 16 * DAY_MS,
}));
const ACTIVE = { entity: "customer", activeWithinDays: 60 } as const;

/** Every feature there is, at the start of a day and within one. */
const EVERYTHING: readonly Request[] = [
  {
    service: wholeService("pair"),
    spine: { entity: "pair", minimumPurchases: 1 },
    cutoffs: [MIDNIGHT, ODD],
    labels: WEEKS,
  },
  {
    service: wholeService("customer_category"),
    spine: { entity: "customer_category" },
    cutoffs: [ODD],
  },
  { service: wholeService("customer"), spine: ACTIVE, cutoffs: [ODD], labels: WEEKS },
  { service: wholeService("product"), spine: { entity: "product" }, cutoffs: [MIDNIGHT, ODD] },
  { service: wholeService("category"), spine: { entity: "category" }, cutoffs: [MIDNIGHT, ODD] },
];

/** What the models read, as they ask for it. */
const MODELS: readonly Request[] = [
  {
    service: repurchaseService,
    spine: { entity: "pair", minimumPurchases: 2 },
    cutoffs: [ODD],
    labels: WEEKS,
  },
  { service: intentService, spine: ACTIVE, cutoffs: [ODD], labels: WEEKS },
];

/**
 * Orders in rhythms by file, and live a stream of everything there is: refunds, bursts of browsing, e-mail, chats,
 * campaigns, devices, categories, ties, late messages, visitors who become known.
 */
async function fillStore(store: Store, folder: string): Promise<void> {
  await importLines(
    store,
    folder,
    rhythmicOrders(40, 600),
    shopMapping({
      source: "shop-file",
      products: { pattern: "^P[0-9]+$", group: { pattern: "^(P.)", case: "lower" } },
    }),
  );
  const clock = settableClock(STREAM_BEGINS);
  const take = openStream(store, clock);
  const steps = fc.sample(streamStep, { seed: 7, numRuns: 900 });
  for (const [index, step] of steps.entries()) {
    if (clock.now() + step.waitMs > STREAM_ENDS) {
      clock.set(STREAM_BEGINS);
    }
    await take({ ...step, who: [step.who[0], step.who[1] + 3 * (index % 9)] });
  }
  // A visit that goes on at the cutoff.
  clock.set(ODD - 10 * 60_000);
  const viewed = {
    type: "track",
    event: "Product Viewed",
    properties: { product_id: "A", category: "soap", price: 4.95, quantity: 1 },
  };
  for (const person of [1, 1, 2]) {
    await take({ waitMs: 60_000, lateMs: 0, who: ["user", person], what: viewed });
  }
  clock.set(shopClock.now());
  await sealInbox(store, { through: resolvedThrough(store.sqlite) });
  await resolveCustomers(store, shopClock);
  await writeIdentity(store, shopClock);
}

describe("features on Apache Spark", function () {
  this.timeout(900_000);
  let spark: Spark;

  before(async () => {
    spark = await installedSpark();
  });

  /** Builds in both engines and compares row by row and feature by feature. */
  async function compare(
    store: Store,
    folder: string,
    requests: readonly Request[],
    engine: SparkEngine,
  ): Promise<void> {
    const asked = requests.map((request, index) => ({
      ...request,
      duckdb: join(folder, `${index}.parquet`),
      file: join(folder, `${index}-spark.parquet`),
    }));
    const told: (readonly [number, number])[] = [];
    const counts = await buildOnSpark(store, asked, engine, (done, total) => {
      told.push([done, total]);
    });
    const total = requests.reduce((sum, { cutoffs }) => sum + cutoffs.length, 0);
    expect(told).to.deep.equal(Array.from({ length: total }, (_, index) => [index + 1, total]));
    const offline = await openOfflineStore(store);
    try {
      for (const [index, { duckdb, ...request }] of asked.entries()) {
        const rows = await offline.build({ ...request, file: duckdb });
        expect(rows, request.service.name).to.be.greaterThan(1);
        expect(counts[index], request.service.name).to.equal(rows);
        await expectSameRows(store, duckdb, request.file, request.service.features);
      }
    } finally {
      offline.close();
    }
  }

  it("come out as in DuckDB on this machine, and so do facts", async () => {
    await withStore(async (store, folder) => {
      await fillStore(store, folder);
      await factsFolder(store);
      const engine = { spark, master: "local[2]", conf: quickConf };
      await compare(store, folder, [...EVERYTHING, ...MODELS], engine);
      const [given, expected] = [join(folder, "facts-spark"), join(folder, "facts-duckdb")];
      const buckets = { linesPerBucket: 700 };
      await writeFactsOnSpark(store, given, engine, buckets);
      await writeFacts(store, expected, buckets);
      await expectSameFacts(store, given, expected);
      await expectSameDataset(store, folder);
    });
  });

  it("come out the same on a master with two workers, from facts that were made there", async () => {
    await withStore(async (store, folder) => {
      await fillStore(store, folder);
      await withCluster(spark, folder, async (master) => {
        const conf = {
          ...clusterConf,
          ...quickConf,
          "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        };
        const requests = EVERYTHING.map((one) => ({ ...one, cutoffs: one.cutoffs.slice(-1) }));
        await compare(store, folder, requests, { spark, master, conf });
        for (const worker of ["worker-a", "worker-b"]) {
          const ran = readdirSync(join(folder, worker)).filter((name) => name.startsWith("app-"));
          expect(ran, worker).to.have.length(2);
        }
      });
    });
  });
});

async function expectSameRows(
  store: Store,
  expected: string,
  given: string,
  features: readonly string[],
): Promise<void> {
  const duckdb = await store.openDuckDb();
  try {
    const columns = async (file: string): Promise<string[]> =>
      (await duckdb.rows(`DESCRIBE FROM read_parquet(${literal(file)})`)).map(
        (row) => `${String(row["column_name"])} ${String(row["column_type"])}`,
      );
    expect(await columns(given)).to.deep.equal(await columns(expected));
    const units = new Map(featuresNamed(features).map(({ name, unit }) => [name, unit]));
    const names = (await columns(expected)).map((column) => column.split(" ")[0] ?? "");
    const keys = names.filter((name) => !units.has(name) && !/_\d$/.test(name));
    const differs = names.map((name) => {
      const isExact = !units.has(name) || units.get(name) === "count";
      const near = `abs(a.${name} - b.${name}) <= 1e-9 * abs(a.${name})`;
      const same = `a.${name} IS NOT DISTINCT FROM b.${name}${isExact ? "" : ` OR ${near}`}`;
      return `count(*) FILTER (NOT coalesce(${same}, false)) AS ${name}`;
    });
    const on = keys.map((key) => `a.${key} IS NOT DISTINCT FROM b.${key}`).join(" AND ");
    const [row] = await duckdb.rows(
      `SELECT ${differs.join(", ")} FROM read_parquet(${literal(expected)}) a FULL JOIN read_parquet(${literal(given)}) b ON ${on}`,
    );
    const different = names.filter((name) => row?.[name] !== 0);
    expect(different, expected).to.deep.equal([]);
    const known = names.map((name) => `count(${name}) AS ${name}`);
    const [counted] = await duckdb.rows(
      `SELECT ${known.join(", ")} FROM read_parquet(${literal(expected)})`,
    );
    expect(
      names.filter((name) => counted?.[name] === 0),
      "nothing to compare",
    ).to.deep.equal([]);
    const order = async (file: string): Promise<unknown> =>
      duckdb.rows(`SELECT ${keys.join(", ")} FROM read_parquet(${literal(file)})`);
    expect(await order(given)).to.deep.equal(await order(expected));
  } finally {
    duckdb.close();
  }
}

async function expectSameFacts(store: Store, given: string, expected: string): Promise<void> {
  const duckdb = await store.openDuckDb();
  try {
    const rows = async (folder: string): Promise<unknown> =>
      duckdb.rows(
        `SELECT * FROM read_parquet(${literal(join(folder, "kind=*", "**", "*.parquet"))}, hive_types = {'kind': VARCHAR, 'bucket': INTEGER}) ORDER BY ALL`,
      );
    const names = async (folder: string): Promise<unknown> =>
      duckdb.rows(`FROM read_parquet(${literal(join(folder, "product.parquet"))}) ORDER BY ALL`);
    const all = (await rows(expected)) as readonly SqlRow[];
    expect(new Set(all.map((row) => row["bucket"])).size).to.be.greaterThan(2);
    expect(all).to.have.length.greaterThan(1000);
    expect(await rows(given)).to.deep.equal(all);
    expect(await names(given)).to.deep.equal(await names(expected));
  } finally {
    duckdb.close();
  }
}

/** What training reads of both is the same: the order of its rows, too. */
async function expectSameDataset(store: Store, folder: string): Promise<void> {
  const duckdb = await store.openDuckDb();
  try {
    const read = async (name: string): Promise<Dataset> =>
      readDataset(duckdb, join(folder, name), repurchaseService.features, { label: 0 });
    const given = await read("5-spark.parquet");
    const expected = await read("5.parquet");
    expect(given).to.deep.equal(expected);
  } finally {
    duckdb.close();
  }
}
