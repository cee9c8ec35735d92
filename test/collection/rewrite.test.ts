import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type ServiceError, type Store } from "../../src/base/index.ts";
import { COMPACTION_LIMITS } from "../../src/collection/compaction.ts";
import {
  compactHistory,
  historyFiles,
  historySummary,
  rewriteHistory,
} from "../../src/collection/index.ts";
import { historyRows } from "../support/live.ts";
import { importLines, type ShopLine, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const line = (user: string, day: number): ShopLine => ({
  user,
  order: `${user}-${day}`,
  at: `2024-01-${String(day).padStart(2, "0")}T10:00:00Z`,
});

/** Three files: of jan and eva, of eva alone, of jan alone. */
async function threeFiles(store: Store, folder: string): Promise<readonly string[]> {
  const files = [[line("jan", 1), line("eva", 2)], [line("eva", 3)], [line("jan", 4)]];
  for (const [index, lines] of files.entries()) {
    await importLines(store, folder, lines, shopMapping(), `${index}.csv`);
  }
  return historyFiles(store);
}

/** Whether a text stands in any byte of the history's folder; users stand uncompressed in small files' statistics. */
function isAnywhere(store: Store, text: string): boolean {
  const folder = store.path("history");
  return readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(text));
}

const USERS = "SELECT user_id AS user, count(*) AS lines FROM history GROUP BY 1 ORDER BY 1";

describe("collection/rewrite", () => {
  it("removes rows from the files that have them, and from no other", async () => {
    await withStore(async (store, folder) => {
      const [both, ofEva, ofJan] = await threeFiles(store, folder);
      expect(isAnywhere(store, "jan")).to.equal(true);
      const rewritten = await rewriteHistory(store, { where: "user_id = 'jan'" });
      const replacedBy = both?.replace(".parquet", ".2.parquet");
      expect(rewritten).to.deep.equal([
        { file: both, rows: 1, replacedBy },
        { file: ofJan, rows: 1, replacedBy: null },
      ]);
      // In the place of the file it replaces.
      expect(historyFiles(store)).to.deep.equal([replacedBy, ofEva]);
      expect(readdirSync(store.path("history")).sort()).to.deep.equal([replacedBy, ofEva].sort());
      expect(isAnywhere(store, "jan")).to.equal(false);
      expect(await historyRows(store, USERS)).to.deep.equal([{ user: "eva", lines: 2 }]);
      expect(historySummary(store)).to.deep.include({
        rows: 2,
        firstOccurredAt: Date.UTC(2024, 0, 2, 10),
        lastOccurredAt: Date.UTC(2024, 0, 3, 10),
      });
      expect(await rewriteHistory(store, { where: "user_id = 'jan'" })).to.deep.equal([]);
    });
  });

  it("changes rows, by tables of its own where it needs them", async () => {
    await withStore(async (store, folder) => {
      await threeFiles(store, folder);
      await rewriteHistory(store, {
        where: "user_id IN (SELECT id FROM meant)",
        set: { user_id: "upper(user_id)", quantity: "quantity + 1" },
        prepare: (duckdb) => duckdb.run("CREATE TEMP TABLE meant AS SELECT 'jan' AS id"),
      });
      expect(
        await historyRows(
          store,
          "SELECT DISTINCT user_id AS user, quantity FROM history ORDER BY 1",
        ),
      ).to.deep.equal([
        { user: "JAN", quantity: 2 },
        { user: "eva", quantity: 1 },
      ]);
      expect(historySummary(store).rows).to.equal(4);
      // What was imported is known as before.
      const again = [line("eva", 3), line("eva", 5)];
      expect(await importLines(store, folder, again, shopMapping(), "more.csv")).to.include({
        rowsAccepted: 1,
        rowsDuplicate: 1,
      });
    });
  });

  it("leaves no byte in files that a merge replaced, though they are being read", async () => {
    await withStore(async (store, folder) => {
      await threeFiles(store, folder);
      const reader = await store.openDuckDb();
      const limits = { ...COMPACTION_LIMITS, filesMin: 3 };
      expect(await compactHistory(store, { limits })).to.include({ merges: 1, filesRetired: 3 });
      const rewritten = await rewriteHistory(store, { where: "user_id = 'jan'" });
      expect(rewritten.map(({ rows }) => rows)).to.deep.equal([2]);
      expect(isAnywhere(store, "jan")).to.equal(false);
      expect(await historyRows(store, USERS)).to.deep.equal([{ user: "eva", lines: 2 }]);
      // The file without such rows is still there for its reader.
      expect(readdirSync(store.path("history"))).to.have.length(2);
      reader.close();
    });
  });

  it("does nothing at all where it fails", async () => {
    await withStore(async (store, folder) => {
      const files = await threeFiles(store, folder);
      const attempt = async (rewrite: Parameters<typeof rewriteHistory>[1]): Promise<unknown> =>
        rewriteHistory(store, rewrite).catch((error: unknown) => error);
      const unknown = await attempt({ where: "true", set: { colour: "'red'" } });
      expect((unknown as ServiceError).field).to.equal("set");
      // Fails at the last file, when others are already written.
      const changed = await attempt({
        where: "true",
        set: { line: "CASE WHEN order_id = 'jan-4' THEN error('no') ELSE 7 END" },
      });
      expect(String(changed)).to.include("no");
      expect(historyFiles(store)).to.deep.equal(files);
      expect(await historyRows(store, "SELECT DISTINCT line FROM history")).to.deep.equal([
        { line: 0 },
      ]);
    });
  });
});
