import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAY_MS, literal, openStore, SPARK_VERSION, type Store } from "../src/base/index.ts";
import { factsFolder, writeFacts } from "../src/features/facts.ts";
import {
  buildOnSpark,
  intentService,
  openOfflineStore,
  repurchaseService,
  type SparkEngine,
} from "../src/features/index.ts";
import { writeFactsOnSpark } from "../src/features/spark-facts-store.ts";
import { installedSpark } from "../test/support/spark.ts";
import { generate } from "./features/child.ts";
import { type BenchResult, circumstances, figureOf, writeResult } from "./result.ts";

const NAME = "features-spark";
const SEED = 1;
const CUTOFF = Date.parse("2025-10-01T00:00:00Z");
/** Further arguments say otherwise: `npm run bench -- features-spark 1000000 2`. */
const EVENTS = 10_000_000;
const RUNS = 1;

const REQUESTS = [
  {
    service: intentService,
    spine: { entity: "customer", activeWithinDays: 90 },
    cutoffs: [CUTOFF],
    labels: [{ count: 1, lengthMs: 7 * DAY_MS, knownBefore: CUTOFF + 28 * DAY_MS }],
  },
  {
    service: repurchaseService,
    spine: { entity: "pair", minimumPurchases: 1 },
    cutoffs: [CUTOFF],
    labels: [{ count: 4, lengthMs: 7 * DAY_MS, knownBefore: CUTOFF + 28 * DAY_MS }],
  },
] as const;

/**
 * What the two models read at one cutoff, and the facts they are made of, by DuckDB and by Spark on this machine,
 * from the same history; whole runs alternate. Spark makes both models' rows in one application.
 */
export async function run(): Promise<void> {
  const events = Number(process.argv[3] ?? EVENTS);
  const runs = Number(process.argv[4] ?? RUNS);
  const engine = { spark: await installedSpark(), master: "local[2]" };
  const folder = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  try {
    generate(folder, events, SEED, ["history"]);
    const store = await openStore(join(folder, "store"));
    try {
      const seconds = new Map<string, number[]>();
      const note = (name: string, value: number): void => {
        console.error(`${name}: ${value.toFixed(2)} s`);
        seconds.set(name, [...(seconds.get(name) ?? []), value]);
      };
      let shares: readonly Share[] = [];
      for (let round = 0; round < runs; round++) {
        shares = await runOnce(store, join(folder, `run-${round}`), engine, note);
      }
      writeResult(resultOf(events, seconds, shares));
    } finally {
      store.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Share {
  readonly name: string;
  readonly rows: number;
  readonly values: number;
  readonly same: number;
  readonly near: number;
}

async function runOnce(
  store: Store,
  base: string,
  engine: SparkEngine,
  note: (name: string, seconds: number) => void,
): Promise<readonly Share[]> {
  note("duckdb facts", await secondsOf(() => writeFacts(store, `${base}-facts`)));
  note("spark facts", await secondsOf(() => writeFactsOnSpark(store, `${base}-made`, engine)));
  rmSync(`${base}-made`, { recursive: true });
  await factsFolder(store, {
    write: (folder) => {
      renameSync(`${base}-facts`, folder);
      return Promise.resolve();
    },
  });
  const asked = REQUESTS.map((request) => ({
    ...request,
    duckdb: `${base}-${request.service.name}.parquet`,
    file: `${base}-${request.service.name}-spark.parquet`,
  }));
  const offline = await openOfflineStore(store);
  try {
    for (const one of asked) {
      const file = one.duckdb;
      note(`duckdb ${one.service.name}`, await secondsOf(() => offline.build({ ...one, file })));
    }
  } finally {
    offline.close();
  }
  let last = performance.now();
  await buildOnSpark(store, asked, engine, (done) => {
    note(`spark ${asked[done - 1]?.service.name ?? ""}`, (performance.now() - last) / 1000);
    last = performance.now();
  });
  const shares: Share[] = [];
  for (const one of asked) {
    shares.push(await shareOf(store, one.service, one.duckdb, one.file));
  }
  return shares;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** How many of the values are the same, and how many are but for a billionth. */
async function shareOf(
  store: Store,
  { name, entity, features }: (typeof REQUESTS)[number]["service"],
  duckdbFile: string,
  sparkFile: string,
): Promise<Share> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 2048 });
  try {
    const count = (test: (feature: string) => string): string =>
      features.map((feature) => `count(*) FILTER (coalesce(${test(feature)}, false))`).join(" + ");
    const keys =
      entity === "pair"
        ? "a.customer_id = b.customer_id AND a.product = b.product"
        : "a.customer_id = b.customer_id";
    const same = (feature: string): string => `a.${feature} IS NOT DISTINCT FROM b.${feature}`;
    const near = (feature: string): string =>
      `${same(feature)} OR abs(a.${feature} - b.${feature}) <= 1e-9 * abs(a.${feature})`;
    const [row] = await duckdb.rows(
      `SELECT count(*) AS n, ${count(same)} AS same, ${count(near)} AS near
       FROM read_parquet(${literal(duckdbFile)}) a FULL JOIN read_parquet(${literal(sparkFile)}) b ON ${keys}`,
    );
    const rows = Number(row?.["n"]);
    return {
      name,
      rows,
      values: rows * features.length,
      same: Number(row?.["same"]),
      near: Number(row?.["near"]),
    };
  } finally {
    duckdb.close();
  }
}

function resultOf(
  events: number,
  seconds: ReadonlyMap<string, readonly number[]>,
  shares: readonly Share[],
): BenchResult {
  const name = events === EVENTS ? NAME : `${NAME}-${events}`;
  const figures = (engine: string): BenchResult["systems"][string] =>
    Object.fromEntries(
      [...seconds].flatMap(([key, values]) =>
        key.startsWith(engine)
          ? [[key.slice(engine.length + 1), figureOf(values, "s")] as const]
          : [],
      ),
    );
  return {
    ...circumstances(name),
    command: `npm run bench -- ${NAME}${events === EVENTS ? "" : ` ${events}`}`,
    versions: { node: process.versions.node, spark: SPARK_VERSION },
    systems: { duckdb: figures("duckdb"), "spark, local[2]": figures("spark") },
    goals: [
      {
        text: "every value that Spark computes is DuckDB's, but for a billionth",
        met: shares.every(({ values, near }) => near === values),
      },
    ],
    notes: [
      `${events} events, seed ${SEED}, one cutoff, with labels. ${shares
        .map(
          (share) =>
            `${share.name}: ${share.rows} rows, ${share.values} values, ${share.same} the same bits, ${share.near} within a billionth`,
        )
        .join("; ")}.`,
      "Seconds are from the files to the files; Spark's hold the start of an application in the facts and in the first service, since one makes both.",
    ],
  };
}
