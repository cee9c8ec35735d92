import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { fixedClock, type SqlRow, type Store } from "../../src/base/index.ts";
import {
  COMPACTION_LIMITS,
  type CompactableFile,
  planCompaction,
} from "../../src/collection/compaction.ts";
import {
  compactHistory,
  createCollector,
  createWriteKey,
  historyFiles,
  historySummary,
  sealInbox,
  setAsideUnlisted,
} from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import { openOfflineStore, repurchaseService } from "../../src/features/index.ts";
import { historyRows, orderCall } from "../support/live.ts";
import { importLines, rhythmicOrders, type ShopLine, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-07-01T00:00:00Z");
const MERGE_THREE = { ...COMPACTION_LIMITS, filesMin: 3 };
const ALL = "SELECT * FROM history ORDER BY source, message_id, line";

async function sealEach(store: Store, calls: readonly object[]): Promise<void> {
  const collector = createCollector(store, clock);
  for (const call of calls) {
    await collector.collect({ source: "webshop", calls: [call] });
    await sealInbox(store);
  }
}

/** Seals `count` files of an order each. */
async function sealOrders(store: Store, count: number, first = 0): Promise<void> {
  createWriteKey(store, clock, "webshop");
  const ids = Array.from({ length: count }, (_, index) => `m${first + index}`);
  await sealEach(
    store,
    ids.map((id) => orderCall(id)),
  );
}

const onDisk = (store: Store): string[] => readdirSync(store.path("history")).sort();

describe("collection/compaction", () => {
  it("merges adjacent files of one group, the smallest first, and leaves full ones", () => {
    const file = (name: string, bytes: number, group = "live"): CompactableFile => ({
      name,
      group,
      bytes,
    });
    const limits = { filesMin: 2, fullBytes: 1e6, filesMax: 3 };
    const plan = (...files: CompactableFile[]): string =>
      (planCompaction(files, limits) ?? []).map(({ name }) => name).join("");
    expect(plan(file("a", 100), file("b", 100))).to.equal("ab");
    expect(plan(file("a", 100), file("b", 100, "other"))).to.equal("");
    expect(plan(file("a", 100), file("b", 2e6), file("c", 100))).to.equal("");
    // Rewriting much for little waits; between them, the small ones go.
    expect(plan(file("a", 9e5), file("b", 100))).to.equal("");
    expect(plan(file("a", 9e5), file("b", 100), file("c", 100), file("d", 9e5))).to.equal("bc");
    expect(plan(...["a", "b", "c", "d", "e"].map((name) => file(name, 100)))).to.equal("abc");
    expect(plan()).to.equal("");
  });

  it("keeps few files and rewrites each byte few times, whatever the sizes", () => {
    const limits = { filesMin: 8, fullBytes: 64 * 2 ** 20, filesMax: 512 };
    const sizes = fc.array(fc.integer({ min: 500, max: 300_000 }), {
      minLength: 200,
      maxLength: 1500,
    });
    fc.assert(
      fc.property(sizes, (arriving) => {
        let files: CompactableFile[] = [];
        let rewritten = 0;
        for (const [index, bytes] of arriving.entries()) {
          files.push({ name: String(index), group: "live", bytes });
          for (
            let run = planCompaction(files, limits);
            run !== undefined;
            run = planCompaction(files, limits)
          ) {
            const merging = run;
            const at = files.findIndex((file) => file === merging[0]);
            expect(files.slice(at, at + run.length)).to.deep.equal(run);
            const total = run.reduce((sum, file) => sum + file.bytes, 0);
            rewritten += total;
            const merged = { name: run[0]?.name ?? "", group: "live", bytes: total };
            files = [...files.slice(0, at), merged, ...files.slice(at + run.length)];
          }
        }
        const total = arriving.reduce((sum, bytes) => sum + bytes, 0);
        expect(files.reduce((sum, file) => sum + file.bytes, 0)).to.equal(total);
        expect(files.length).to.be.at.most(60);
        expect(rewritten / total).to.be.at.most(6);
      }),
      { numRuns: 20 },
    );
  });

  it("keeps every row, in fewer files, and what they are known by", async () => {
    await withStore(async (store, folder) => {
      const day = (index: number): ShopLine => ({
        user: `u${index}`,
        order: `o${index}`,
        at: `2024-01-0${index + 1}T10:00:00Z`,
      });
      for (let index = 0; index < 4; index++) {
        await importLines(store, folder, [day(index)], shopMapping(), `${index}.csv`);
      }
      await sealOrders(store, 5);
      const before = await historyRows(store, ALL);
      const summary = historySummary(store);
      const report = await compactHistory(store, { limits: MERGE_THREE });
      expect(report).to.deep.include({ merges: 2, filesBefore: 9, filesAfter: 2, filesRetired: 0 });
      expect(await historyRows(store, ALL)).to.deep.equal(before);
      expect(historySummary(store)).to.deep.equal(summary);
      expect(onDisk(store)).to.deep.equal([...historyFiles(store)].sort());
      // Imports are resolved, what was sealed is not.
      expect(historyFiles(store, "unresolved")).to.have.length(1);

      // Known again: a file, a longer version of it, and a message that a file brought.
      expect(await importLines(store, folder, [day(0)], shopMapping(), "0.csv")).to.include({
        alreadyImported: true,
      });
      const longer = [day(0), day(1), day(2), { ...day(3), order: "new" }];
      expect(await importLines(store, folder, longer, shopMapping(), "longer.csv")).to.include({
        rowsAccepted: 1,
        rowsDuplicate: 3,
      });
      const [imported] = await historyRows(
        store,
        "SELECT message_id AS id FROM history WHERE user_id = 'u0'",
      );
      const again = orderCall(String(imported?.["id"]));
      const collector = createCollector(store, clock);
      const results = await collector.collect({ source: "shop", calls: [again] });
      expect(results.map(({ status }) => status)).to.deep.equal(["duplicate"]);
      expect(await sealInbox(store)).to.deep.include({ lines: 0 });
    });
  });

  it("changes no byte of the features", async () => {
    await withStore(async (store, folder) => {
      const orders = rhythmicOrders(25, 400);
      const tenth = Math.ceil(orders.length / 10);
      for (let part = 0; part < 10; part++) {
        const lines = orders.slice(part * tenth, (part + 1) * tenth);
        await importLines(store, folder, lines, shopMapping(), `${part}.csv`);
      }
      const before = await builtFeatures(store, "before.parquet");
      const { filesAfter } = await compactHistory(store);
      expect(filesAfter).to.equal(1);
      expect((await builtFeatures(store, "after.parquet")).equals(before)).to.equal(true);
    });
  });

  it("keeps replaced files for a session that may read them, and deletes them after it", async () => {
    await withStore(async (store) => {
      await sealOrders(store, 3);
      const old = onDisk(store);
      const reader = await store.openDuckDb();
      const report = await compactHistory(store, { limits: MERGE_THREE });
      expect(report.filesRetired).to.equal(3);
      const [merged = ""] = historyFiles(store);
      expect(onDisk(store)).to.have.members([...old, merged]);
      setAsideUnlisted(store, clock);
      expect(onDisk(store)).to.have.members([...old, merged]);
      // Sessions that begin later read the new file alone, and hold nothing up.
      const later = await store.openDuckDb();
      reader.close();
      setAsideUnlisted(store, clock);
      expect(onDisk(store)).to.deep.equal([merged]);
      later.close();
    });
  });

  it("removes what an interrupted merge left, and can be repeated", async () => {
    await withStore(async (store) => {
      await sealOrders(store, 3);
      const before = await historyRows(store, ALL);
      writeFileSync(join(store.path("history"), "merged-0123456789abcdef.parquet.partial"), "half");
      writeFileSync(join(store.path("history"), "merged-0123456789abcdef.parquet"), "unlisted");
      setAsideUnlisted(store, clock);
      expect(onDisk(store)).to.deep.equal([...historyFiles(store)].sort());
      await compactHistory(store, { limits: MERGE_THREE });
      expect(await historyRows(store, ALL)).to.deep.equal(before);
    });
  });

  it("merges again what was merged before, up to what it may at a time", async () => {
    await withStore(async (store) => {
      await sealOrders(store, 9);
      const before = await historyRows(store, ALL);
      const limits = { ...MERGE_THREE, filesMax: 3 };
      expect(await compactHistory(store, { limits, mergesMax: 1 })).to.include({ filesAfter: 7 });
      expect(await compactHistory(store, { limits })).to.include({ merges: 3, filesAfter: 1 });
      expect(await historyRows(store, ALL)).to.deep.equal(before);
    });
  });

  it("lets a late event into the past only from when it was known, live and merged", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(10, 300));
      const before = await builtFeatures(store, "before.parquet");
      createWriteKey(store, clock, "webshop");
      const late = Array.from({ length: 8 }, (_, index) =>
        orderCall(`late-${index}`, { userId: `u${index}`, timestamp: "2023-03-01T10:00:00Z" }),
      );
      await sealEach(store, late);
      await resolveCustomers(store, clock);
      const known: SqlRow[] = await historyRows(
        store,
        "SELECT DISTINCT occurred_at_ms AS at, known_at_ms AS known FROM history WHERE source = 'webshop'",
      );
      expect(known).to.deep.equal([
        { at: Date.UTC(2023, 2, 1, 10), known: Date.parse("2024-07-01T00:00:00Z") },
      ]);
      expect((await builtFeatures(store, "sealed.parquet")).equals(before)).to.equal(true);
      expect(await compactHistory(store)).to.include({ merges: 1 });
      expect((await builtFeatures(store, "merged.parquet")).equals(before)).to.equal(true);
      const now = Date.parse("2024-07-02T00:00:00Z");
      const today = await builtFeatures(store, "today.parquet", now);
      expect(today.equals(await builtFeatures(store, "again.parquet", now))).to.equal(true);
      expect(today.equals(before)).to.equal(false);
    });
  });
});

/** The bytes of a features file at a cutoff in the shop's first year. */
async function builtFeatures(
  store: Store,
  name: string,
  cutoff = Date.UTC(2023, 7, 1),
): Promise<Buffer> {
  const offline = await openOfflineStore(store);
  try {
    const file = join(store.folder, name);
    const spine = { entity: "pair", minimumPurchases: 2 } as const;
    await offline.build({ service: repurchaseService, cutoffs: [cutoff], spine, file });
    return readFileSync(file);
  } finally {
    offline.close();
  }
}
