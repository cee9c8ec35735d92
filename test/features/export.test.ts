import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect } from "chai";
import {
  DAY_MS,
  fixedClock,
  literal,
  type SqlRow,
  type Store,
  silentProgress,
} from "../../src/base/index.ts";
import { buildStatistics } from "../../src/features/build-statistics.ts";
import { driftOf } from "../../src/features/feature-build-store.ts";
import {
  type Dictionary,
  exportFeatures,
  exportHistoricalRows,
  listBuilds,
  parseSpine,
  wholeService,
} from "../../src/features/index.ts";
import { herkoop, startCommand } from "../support/command.ts";
import { importLines, rhythmicOrders } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-07-01T00:00:00Z");
const CUTOFF = Date.parse("2023-06-01");

async function rowsOf(store: Store, sql: string): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  try {
    return await duckdb.rows(sql);
  } finally {
    duckdb.close();
  }
}

function dictionaryOf(file: string): Dictionary {
  return JSON.parse(readFileSync(`${file}.dictionary.json`, "utf8")) as Dictionary;
}

describe("features/export", () => {
  for (const entity of ["customer", "pair", "customer_category", "product", "category"] as const) {
    it(`writes everything of a ${entity} at several cutoffs, with a dictionary that agrees with the file`, async () => {
      await withStore(async (store, folder) => {
        const orders = rhythmicOrders(12, 200);
        await importLines(store, folder, orders);
        const lastAt = orders
          .map(({ at }) => at)
          .sort()
          .at(-1);
        const file = join(folder, "deep", "features.parquet");
        const service = wholeService(entity);
        const dictionary = await exportFeatures(
          { store, clock, progress: silentProgress },
          {
            service,
            cutoffs: [CUTOFF - 28 * DAY_MS, CUTOFF],
            spine: parseSpine(entity, "everybody"),
            file,
          },
        );
        expect(dictionaryOf(file)).to.deep.equal(dictionary);
        const [metadata] = await rowsOf(
          store,
          `SELECT decode(value) AS text FROM parquet_kv_metadata(${literal(file)}) WHERE decode(key) = 'herkoop'`,
        );
        expect(JSON.parse(String(metadata?.["text"]))).to.deep.equal(dictionary);
        const from = `read_parquet(${literal(file)})`;
        const described = await rowsOf(store, `DESCRIBE SELECT * FROM ${from}`);
        expect(dictionary.columns.map((column) => column.name)).to.deep.equal(
          described.map((row) => row["column_name"]),
        );
        expect(dictionary).to.deep.include({
          service: { name: entity, version: 1, entity },
          spine: "everybody",
          cutoffs: { count: 2, first: "2023-05-04T00:00:00Z", last: "2023-06-01T00:00:00Z" },
          dataThrough: lastAt,
        });
        // Lines without a category are nobody's category.
        const isEmpty = entity === "customer_category" || entity === "category";
        expect(dictionary.rows > 0).to.equal(!isEmpty);
        const features = dictionary.columns.filter(({ unit }) => unit !== null);
        const [seen = {}] = await rowsOf(
          store,
          `SELECT ${features.map(({ name }, at) => `count(*) - count(${name}) AS nulls_${at}, min(${name}) AS low_${at}, max(${name}) AS high_${at}`).join(", ")} FROM ${from}`,
        );
        features.forEach((column, at) => {
          expect(column.rows, column.name).to.equal(dictionary.rows);
          expect([column.min, column.max], column.name).to.deep.equal([
            seen[`low_${at}`],
            seen[`high_${at}`],
          ]);
          expect(column.nullRate * column.rows, column.name).to.be.closeTo(
            Number(seen[`nulls_${at}`]),
            1e-6,
          );
        });
        const [build] = listBuilds(store);
        expect(build).to.include({
          service: entity,
          purpose: "export",
          rows: dictionary.rows,
          cutoffs: 2,
          facts: dictionary.facts,
        });
      });
    });
  }

  it("takes interpolated quantiles, some columns at a time or all at once", async () => {
    await withStore(async (store) => {
      const duckdb = await store.openDuckDb();
      const from =
        "(SELECT CASE WHEN range < 11 THEN range END AS a, range % 2 AS b, CAST(NULL AS DOUBLE) AS c FROM range(12))";
      const whole = await buildStatistics(duckdb, from, ["a", "b", "c"]);
      expect(whole.get("a")).to.deep.equal({
        rows: 12,
        nullRate: 1 / 12,
        min: 0,
        quantiles: [0.5, 2.5, 5, 7.5, 9.5],
        max: 10,
        mean: 5,
      });
      expect(whole.get("c")).to.deep.include({ nullRate: 1, quantiles: null, mean: null });
      expect(await buildStatistics(duckdb, from, ["a", "b", "c"], 12)).to.deep.equal(whole);
      duckdb.close();
    });
  });

  it("keeps twenty builds of a service, and tells their drift", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(6, 200));
      const context = { store, clock, progress: silentProgress };
      const service = { ...wholeService("customer"), features: ["customer_recency_days"] };
      const spine = parseSpine("customer", "everybody");
      const file = join(folder, "features.csv");
      for (let build = 0; build < 22; build++) {
        await exportFeatures(context, { service, spine, cutoffs: [CUTOFF + build * DAY_MS], file });
      }
      const builds = listBuilds(store);
      expect(builds).to.have.length(20);
      expect(builds[0]?.comparedWith).to.equal(builds[1]?.id);
      expect(builds[0]?.drift[0]?.feature).to.equal("customer_recency_days");
      expect(builds[19]).to.deep.include({ comparedWith: null, drift: [] });
      expect(readFileSync(file, "utf8")).to.match(/^cutoff_ms,customer_id,customer_recency_days\n/);
      expect(dictionaryOf(file).columns.map(({ name }) => name)).to.deep.equal([
        "cutoff_ms",
        "customer_id",
        "customer_recency_days",
      ]);
    });
  });

  it("measures a shift of the median in interquartile ranges of before", () => {
    const before = {
      a: { nullRate: 0.1, quantiles: [0, 1, 2, 5, 9] },
      b: { nullRate: 0, quantiles: null },
    };
    const now = {
      a: { nullRate: 0.4, quantiles: [0, 1, 4, 5, 9] },
      b: { nullRate: 0, quantiles: [0, 0, 0, 0, 0] },
    };
    expect(driftOf(now, before)).to.deep.equal([
      { feature: "a", nullRateChange: 0.3, medianShift: 0.5 },
    ]);
    expect(driftOf(before, before)).to.deep.equal([]);
  });

  it("writes historical rows with their dictionary, and records them", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(3, 100));
      const rows = join(folder, "rows.csv");
      writeFileSync(rows, "user_id,timestamp,label\nu1,2023-03-01,1\nnobody,2023-03-02,0\n");
      const file = join(folder, "out.parquet");
      const service = wholeService("customer");
      const { report, dictionary } = await exportHistoricalRows(
        { store, clock, progress: silentProgress },
        { service, rows, file },
      );
      expect(report).to.include({ rows: 2, unknownRows: 1, cutoffs: 2 });
      expect(dictionary.columns.slice(0, 4).map(({ name, type }) => [name, type])).to.deep.equal([
        ["user_id", "VARCHAR"],
        ["timestamp", "VARCHAR"],
        ["label", "BIGINT"],
        ["is_known", "BOOLEAN"],
      ]);
      expect(listBuilds(store)[0]).to.include({
        purpose: "rows",
        rows: 2,
        lastCutoff: "2023-03-02T00:00:00Z",
      });
    });
  });

  it("leaves nothing half done at the target when it is killed, and the next build removes what is left", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(60, 300));
      const target = join(folder, "out");
      const file = join(target, "features.parquet");
      const args =
        "features export pair --from 2023-02-01 --to 2023-10-01 --every 28d --json --out".split(
          " ",
        );
      const inTarget = (): string[] => (existsSync(target) ? readdirSync(target) : []);
      const moments = [
        (): boolean => existsSync(target),
        (): boolean => inTarget().some((name) => name.endsWith(".partial")),
      ];
      for (const isReached of moments) {
        const child = startCommand(store.folder, [...args, file]);
        const ended = once(child, "close");
        while (child.exitCode === null && !isReached()) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        child.kill("SIGKILL");
        await ended;
        expect(child.signalCode).to.equal("SIGKILL");
        expect(inTarget().filter((name) => !name.endsWith(".partial"))).to.deep.equal([]);
      }
      expect(await herkoop(store.folder, ...args, file)).to.include({ code: 0 });
      expect(inTarget().sort()).to.deep.equal([
        "features.parquet",
        "features.parquet.dictionary.json",
      ]);
      const temporary = readdirSync(join(store.folder, "temporary"));
      expect(temporary).to.deep.equal([basename(store.path("temporary"))]);
    });
  }).timeout(120_000);
});
