import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import {
  lineProgress,
  nearest,
  openDuckDb,
  openStore,
  type ProgressMessage,
  relayProgress,
  seededRandom,
  shuffle,
  stableHash,
} from "../../src/base/index.ts";
import { migrations } from "../../src/base/migrations/index.ts";
import { inFolder } from "../support/temporary.ts";

describe("base", () => {
  it("names the nearest candidates first", () => {
    expect(
      nearest("customer_recencydays", [
        "pair_frequency",
        "customer_recency_days",
        "customer_monetary",
      ])[0],
    ).to.equal("customer_recency_days");
  });

  it("draws the same numbers for the same seed, evenly in [0, 1)", () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 20_000 }, () => random.next());
    };
    expect(draw(5)).to.deep.equal(draw(5));
    expect(draw(5)).to.not.deep.equal(draw(6));
    const values = draw(5);
    expect(Math.min(...values)).to.be.at.least(0);
    expect(Math.max(...values)).to.be.below(1);
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).to.be.closeTo(0.5, 0.01);
  });

  it("shuffles to a permutation", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer(), (length, seed) => {
        const values = Int32Array.from({ length }, (_, index) => index);
        shuffle(values, seededRandom(seed));
        expect(Array.from(values).sort((a, b) => a - b)).to.deep.equal(
          Array.from({ length }, (_, index) => index),
        );
      }),
    );
  });

  it("hashes texts the same forever and spreads them evenly", () => {
    expect([stableHash(""), stableHash("customer-1")]).to.deep.equal([
      stableHash(""),
      stableHash("customer-1"),
    ]);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const tenth = Math.floor((stableHash(`customer-${i}`) / 2 ** 32) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) {
      expect(count).to.be.within(1850, 2150);
    }
  });

  it("opens a store twice and migrates it once", async () => {
    await inFolder(async (folder) => {
      const first = await openStore(join(folder, "store"));
      const second = await openStore(join(folder, "store"));
      const names = second.sqlite.prepare<[], string>("SELECT name FROM migration").pluck().all();
      expect(names).to.deep.equal(migrations.map((migration) => migration.name));
      expect(second.sqlite.pragma("journal_mode", { simple: true })).to.equal("wal");
      first.close();
      second.close();
    });
  });

  it("carries the SQL in a failed query's message", async () => {
    await inFolder(async (folder) => {
      const duckdb = await openDuckDb({ temporaryFolder: folder });
      const failure = await duckdb
        .rows("SELECT missing FROM nowhere")
        .catch((error: unknown) => error);
      expect(String(failure)).to.include("SELECT missing FROM nowhere");
      duckdb.close();
    });
  });

  it("streams and appends rows without losing order, nulls or text", async () => {
    await inFolder(async (folder) => {
      const duckdb = await openDuckDb({ temporaryFolder: folder });
      await duckdb.run("CREATE TABLE t (id DOUBLE, name VARCHAR)");
      const rows = Array.from(
        { length: 5000 },
        (_, id) => [id, id % 3 === 0 ? null : `n'${id}`] as const,
      );
      await duckdb.append("t", rows);
      const back: unknown[] = [];
      for await (const [ids = [], names = []] of duckdb.chunks(
        "SELECT id, name FROM t ORDER BY id",
      )) {
        ids.forEach((id, index) => back.push([id, names[index] ?? null]));
      }
      expect(back).to.deep.equal(rows);
      duckdb.close();
    });
  });

  it("refuses a statement beside an open stream, and none after it", async () => {
    await inFolder(async (folder) => {
      const duckdb = await openDuckDb({ temporaryFolder: folder });
      await duckdb.run("CREATE TABLE t (id DOUBLE)");
      const many = "SELECT range AS id FROM range(30000)";
      const beside = [
        () => duckdb.append("t", [[1]]),
        () => duckdb.run("DELETE FROM t"),
        () => duckdb.rows("SELECT 1"),
        () => duckdb.rowChunks("SELECT 1").next(),
      ];
      for (const statement of beside) {
        const stream = duckdb.chunks(many);
        await stream.next();
        const refused = await statement().catch(String);
        expect(refused).to.match(/a stream is still open: SELECT range/);
        await stream.return(undefined);
        await duckdb.append("t", [[1]]);
      }
      let read = 0;
      for await (const [ids = []] of duckdb.chunks(many)) {
        read += ids.length;
      }
      expect(read).to.equal(30_000);
      expect(await duckdb.rows("SELECT count(*) AS n FROM t")).to.deep.equal([
        { n: beside.length },
      ]);
      duckdb.close();
    });
  });

  it("tells plain lines at each quarter, and a parent of a child's steps", () => {
    const written: string[] = [];
    const progress = lineProgress({ write: (text) => written.push(text) > 0 });
    const relay = relayProgress(progress);
    const message = (kind: ProgressMessage["kind"], done = 0): ProgressMessage => ({
      kind,
      step: 0,
      title: "import",
      done,
      total: 8,
      outcome: "8 rows",
    });
    relay(message("begin"));
    for (let done = 0; done <= 8; done++) {
      relay(message("update", done));
    }
    relay(message("end"));
    expect(written.join("")).to.equal(
      "import ...\nimport: 25%\nimport: 50%\nimport: 75%\nimport: 8 rows\n",
    );
  });
});
