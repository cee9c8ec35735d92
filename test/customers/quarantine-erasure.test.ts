import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { literal, type Store } from "../../src/base/index.ts";
import { erasePerson } from "../../src/customers/index.ts";
import { readRows } from "../support/live.ts";
import { importLines, shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const usersIn = async (store: Store, name: string): Promise<string[]> => {
  const file = literal(join(store.path("quarantine"), name));
  const rows = await readRows(store, `SELECT user_id FROM read_parquet(${file}) ORDER BY 1`);
  return rows.map((row) => String(row["user_id"]));
};

describe("erasure of a person in files that were set aside", () => {
  it("takes their rows out of history files, and names what nobody can look into", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        { user: "customer-1", order: "o1", at: "2024-01-01T10:00:00Z" },
        { user: "customer-2", order: "o2", at: "2024-01-02T10:00:00Z" },
      ]);
      const [name = ""] = readdirSync(store.path("history"));
      copyFileSync(
        join(store.path("history"), name),
        join(store.path("quarantine"), "old.parquet"),
      );
      writeFileSync(join(store.path("quarantine"), "broken.parquet"), "PAR1 no Parquet");
      expect(await usersIn(store, "old.parquet")).to.deep.equal(["customer-1", "customer-2"]);
      const { receipt } = await erasePerson(
        store,
        shopClock,
        { type: "user_id", value: "customer-1" },
        { modelsFolder: join(folder, "models") },
      );
      expect(await usersIn(store, "old.parquet")).to.deep.equal(["customer-2"]);
      expect(receipt.stores).to.deep.include({ store: "quarantine files", removed: 1, changed: 0 });
      expect(receipt.verification.filesWithRemains).to.deep.equal(["quarantine/broken.parquet"]);
    });
  });
});
