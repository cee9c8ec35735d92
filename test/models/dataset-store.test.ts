import { join } from "node:path";
import { expect } from "chai";
import { type DuckDb, literal, openDuckDb } from "../../src/base/index.ts";
import { readDataset } from "../../src/models/index.ts";
import { inFolder } from "../support/temporary.ts";

/** Three hundred thousand rows, one in a hundred with an event. */
async function rareEvents(duckdb: DuckDb, file: string): Promise<string> {
  await duckdb.run(
    `COPY (SELECT CAST(0 AS BIGINT) AS cutoff_ms, CAST(r AS INTEGER) AS customer_id, 'P' AS product,
             CAST(r AS FLOAT) AS feature, CASE WHEN r % 100 = 0 THEN 1 END AS event_interval_0, 4 AS observed_intervals_0
           FROM range(300000) t(r)) TO ${literal(file)} (FORMAT parquet)`,
  );
  return file;
}

describe("models/dataset-store", () => {
  it("reads rows by cutoff, customer and product, however the file has them, and samples the same ones", async () => {
    await inFolder(async (folder) => {
      const duckdb = await openDuckDb({ temporaryFolder: folder });
      const write = async (name: string, order: string): Promise<string> => {
        const file = join(folder, name);
        await duckdb.run(
          `COPY (SELECT CAST(r % 3 AS BIGINT) AS cutoff_ms, CAST(r // 3 % 5000 AS INTEGER) AS customer_id, 'P' || (r // 15000) AS product,
                   CAST(r AS FLOAT) AS feature, CASE WHEN r % 2 = 0 THEN 1 END AS event_interval_0, 4 AS observed_intervals_0
                 FROM range(300000) t(r) ORDER BY ${order}) TO ${literal(file)} (FORMAT parquet, ROW_GROUP_SIZE 20000)`,
        );
        return file;
      };
      const selection = { label: 0, cutoffs: [0, 2], maximumRows: 50_000 };
      const one = await readDataset(
        duckdb,
        await write("one.parquet", "r"),
        ["feature"],
        selection,
      );
      const other = await readDataset(
        duckdb,
        await write("other.parquet", "hash(r)"),
        ["feature"],
        selection,
      );
      const rare = await readDataset(
        duckdb,
        await rareEvents(duckdb, join(folder, "rare.parquet")),
        ["feature"],
        { ...selection, cutoffs: [0] },
      );
      duckdb.close();
      expect(rare.rows).to.be.within(49_000, 51_000);
      expect(rare.events.filter((event) => event >= 0).length).to.equal(3000);
      const counted = rare.events.reduce(
        (sum, event, row) => sum + (event >= 0 ? (rare.weights?.[row] ?? 0) : 0),
        0,
      );
      expect(counted / rare.rows).to.be.closeTo(0.01, 1e-4);
      expect(one.rows).to.be.within(49_000, 51_000);
      expect(other).to.deep.equal(one);
      for (let row = 1; row < one.rows; row++) {
        const key = (at: number): readonly [number, number, string] => [
          one.cutoffs[at] ?? 0,
          one.customers[at] ?? 0,
          one.products[at] ?? "",
        ];
        const [before, after] = [key(row - 1), key(row)];
        expect(
          before[0] - after[0] || before[1] - after[1] || before[2].localeCompare(after[2]),
        ).to.be.below(0);
      }
      const share = one.events.reduce(
        (sum, event, row) => sum + (event >= 0 ? (one.weights?.[row] ?? 1) : 0),
        0,
      );
      expect(share / one.rows).to.be.closeTo(0.5, 0.01);
      expect(new Set(one.cutoffs)).to.deep.equal(new Set([0, 2]));
    });
  });
});
