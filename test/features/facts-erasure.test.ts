import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { literal, type SqlRow, type Store } from "../../src/base/index.ts";
import { erasePerson, findCustomer } from "../../src/customers/index.ts";
import { watchErasure } from "../../src/features/erasure-watch.ts";
import { factsFolder } from "../../src/features/facts.ts";
import { importLines, rhythmicOrders, shopClock, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const OPTIONS = { modelsFolder: "/nowhere" };
const ERASED = { type: "user_id", value: "u1" };

function factsIn(store: Store): string[] {
  return readdirSync(store.path("features")).filter((name) => name.startsWith("facts-"));
}

async function factsOf(store: Store, folder: string): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  try {
    return await duckdb.rows(
      `SELECT customer_id, count(*) AS n FROM read_parquet(${literal(join(folder, "kind=*", "bucket=*", "*.parquet"))}) GROUP BY 1 ORDER BY 1`,
    );
  } finally {
    duckdb.close();
  }
}

describe("features/facts and erasure", () => {
  it("keeps no facts of a person who was erased, in any folder, nor makes them again", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(4, 100));
      const before = await factsFolder(store);
      const { id } = findCustomer(store, ERASED);
      const rows = await factsOf(store, before);
      expect(rows.map((row) => row["customer_id"])).to.include(id);
      await importLines(
        store,
        folder,
        [{ user: "u2", at: "2024-01-01T00:00:00Z" }],
        shopMapping(),
        "more.csv",
      );
      await factsFolder(store);
      expect(factsIn(store)).to.have.length(2);

      const signed = await erasePerson(store, shopClock, ERASED, OPTIONS);

      expect(factsIn(store)).to.deep.equal([]);
      expect(signed.receipt.verification.filesWithRemains).to.deep.equal([]);
      const after = await factsOf(store, await factsFolder(store));
      expect(after.map((row) => row["customer_id"])).to.deep.equal(
        rows.map((row) => row["customer_id"]).filter((other) => other !== id),
      );
    });
  });

  it("does not count facts among the files for people", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(3, 60));
      await factsFolder(store);
      const { receipt } = await erasePerson(store, shopClock, ERASED, OPTIONS);
      expect(receipt.stores.map((one) => one.store)).to.not.include("features files");
    });
  });

  it("knows of an erasure that happened beside a reading, and of nothing else", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(3, 60));
      const quiet = watchErasure(store);
      await importLines(
        store,
        folder,
        [{ user: "u9", at: "2024-01-01T00:00:00Z" }],
        shopMapping(),
        "more.csv",
      );
      expect(quiet()).to.equal(false);
      const disturbed = watchErasure(store);
      await erasePerson(store, shopClock, ERASED, OPTIONS);
      expect(disturbed()).to.equal(true);
      expect(watchErasure(store)()).to.equal(false);
    });
  });
});
