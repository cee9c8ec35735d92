import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { KEY_FILE, openStore, openStoreKey, type Store } from "../../../src/base/index.ts";
import {
  addTombstones,
  type Backup,
  createCollector,
  createWriteKey,
  historySummary,
  importRuns,
  makeBackup,
  rewriteHistory,
  sealInbox,
  verifyBackup,
} from "../../../src/collection/index.ts";
import { findCustomer, resolveCustomers, restoreBackup } from "../../../src/customers/index.ts";
import { linesByMessage, orderCall } from "../../support/live.ts";
import { importLines, shopClock } from "../../support/shop.ts";
import { inFolder } from "../../support/temporary.ts";

interface Shop {
  readonly store: Store;
  readonly folder: string;
  readonly models: string;
  readonly backup: string;
  readonly back: (options?: { readonly withKey: boolean }) => Promise<Backup>;
  readonly restore: (changes?: object) => ReturnType<typeof restoreBackup>;
}

/** A shop with an import that refused a row, live events, a model version and a key. */
async function withShop(work: (shop: Shop) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const store = await openStore(join(folder, "store"));
    const models = join(folder, "store", "models");
    const backup = join(folder, "backup");
    const target = join(folder, "restored");
    try {
      createWriteKey(store, shopClock, "webshop");
      openStoreKey(store);
      await importLines(store, folder, [
        { user: "u1", order: "o1", at: "2024-01-01T10:00:00Z" },
        { user: "u2", order: "o2", at: "yesterday" },
      ]);
      await collect(store, "a1");
      await sealInbox(store);
      mkdirSync(join(models, "repurchase-week", "v1"), { recursive: true });
      writeFileSync(join(models, "repurchase-week", "v1", "weights.bin"), "weights");
      store.sqlite
        .prepare(
          "INSERT INTO model_version VALUES ('v1', 'repurchase-week', 'network', ?, '{}', 0, 0, 0)",
        )
        .run("repurchase-week/v1");
      await work({
        ...{ store, folder, models, backup },
        back: (options = { withKey: true }) =>
          makeBackup(store, shopClock, backup, { modelsFolder: models, ...options }),
        restore: (changes = {}) =>
          restoreBackup(shopClock, {
            ...{ backup, target, former: null, key: null },
            modelsFolder: join(target, "models"),
            ...changes,
          }),
      });
    } finally {
      store.close();
    }
  });
}

async function collect(store: Store, ...ids: string[]): Promise<void> {
  await createCollector(store, shopClock).collect({
    source: "webshop",
    calls: ids.map((id) => orderCall(id, { userId: "u3" })),
  });
  await resolveCustomers(store, shopClock);
}

async function messageOfRejection(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "done",
    (error: unknown) => (error as Error).message,
  );
}

describe("backup", () => {
  it("holds the history, the models, rejects and the key, each with its checksum, and comes back whole", async () => {
    await withShop(async ({ store, folder, back, restore, backup }) => {
      expect(await back()).to.include({ files: 2, rows: 3 });
      const { manifest, damaged } = await verifyBackup(backup);
      expect(damaged).to.deep.equal([]);
      expect(
        manifest.files.map(({ name }) => name.replace(/[0-9a-f]{16}/, "*")).sort(),
      ).to.deep.equal([
        "herkoop.key",
        "herkoop.sqlite",
        "history/live-000000000001-000000000002.parquet",
        "history/shop-*.parquet",
        "models/repurchase-week/v1/weights.bin",
        "rejects/*.csv",
        "store.json",
      ]);
      await restore();
      const target = join(folder, "restored");
      const restored = await openStore(target);
      try {
        expect(historySummary(restored)).to.deep.equal(historySummary(store));
        expect(findCustomer(restored, { type: "user_id", value: "u3" })).to.deep.equal(
          findCustomer(store, { type: "user_id", value: "u3" }),
        );
        const [run] = importRuns(restored);
        expect(run?.rejectsFile).to.satisfy((file: string) => file.startsWith(target));
        expect(existsSync(run?.rejectsFile ?? "")).to.equal(true);
        expect(
          readFileSync(join(target, "models", "repurchase-week", "v1", "weights.bin"), "utf8"),
        ).to.equal("weights");
      } finally {
        restored.close();
      }
    });
  });

  it("names every file that was changed, cut or lost, and restores nothing then", async () => {
    await withShop(async ({ folder, back, restore, backup }) => {
      await back();
      const [live = "", shop = ""] = readdirSync(join(backup, "history")).sort();
      const bytes = readFileSync(join(backup, "history", live));
      bytes[60] = (bytes[60] ?? 0) ^ 1;
      writeFileSync(join(backup, "history", live), bytes);
      truncateSync(join(backup, "history", shop), 100);
      rmSync(join(backup, "models", "repurchase-week", "v1", "weights.bin"));
      const { damaged } = await verifyBackup(backup);
      expect(damaged.map(({ file }) => file)).to.have.members([
        `history/${live}`,
        `history/${shop}`,
        "models/repurchase-week/v1/weights.bin",
      ]);
      const message = await messageOfRejection(restore());
      for (const part of [
        "its bytes have changed",
        "it has 100 bytes instead of",
        "it is missing",
      ]) {
        expect(message).to.include(part);
      }
      expect(message).to.match(/nothing was restored$/);
      expect(readdirSync(folder)).to.not.include("restored").and.not.include("restored.restoring");
    });
  });

  it("is not made of a damaged history", async () => {
    await withShop(async ({ store, back, backup }) => {
      const [name = ""] = readdirSync(store.path("history"));
      truncateSync(join(store.path("history"), name), 50);
      expect(await messageOfRejection(back())).to.match(/is damaged.*no backup was made/);
      expect(readdirSync(backup)).to.deep.equal([]);
    });
  });

  it("goes on while others seal, import and take rows out", async () => {
    await withShop(async ({ store, folder, back, restore, backup }) => {
      const making = back();
      await collect(store, "b1", "b2");
      await sealInbox(store);
      await rewriteHistory(store, { where: "user_id = 'u1'" });
      await importLines(
        store,
        folder,
        [{ user: "u9", order: "o9", at: "2024-02-01T10:00:00Z" }],
        undefined,
        "more.csv",
      );
      await making;
      expect((await verifyBackup(backup)).damaged).to.deep.equal([]);
      await restore();
      const restored = await openStore(join(folder, "restored"));
      try {
        const lines = await linesByMessage(restored);
        expect(lines.get("a1")).to.equal(2);
        expect([undefined, 2]).to.include(lines.get("b1"));
      } finally {
        restored.close();
      }
    });
  });

  it("without the key needs it to come back, where people were erased", async () => {
    await withShop(async ({ store, folder, back, restore, backup }) => {
      store.sqlite.exec("INSERT INTO erasure VALUES ('e', 0, NULL, 0, '{}', 's')");
      addTombstones(store, [{ type: "user_id", value: "u7" }], 0, "e");
      await back({ withKey: false });
      expect(readdirSync(backup)).to.not.include(KEY_FILE);
      expect(await messageOfRejection(restore())).to.match(/key: the backup was made without/);
      expect(readdirSync(folder)).to.not.include("restored");
      await restore({ key: join(store.folder, KEY_FILE) });
      expect(readdirSync(join(folder, "restored"))).to.include(KEY_FILE);
    });
  });

  it("refuses what is no whole backup, and names that lead out of it", async () => {
    await withShop(async ({ back, restore, backup }) => {
      expect(await messageOfRejection(restore())).to.match(
        /is no whole backup: it has no backup.json/,
      );
      await back();
      const manifest = JSON.parse(readFileSync(join(backup, "backup.json"), "utf8")) as {
        files: { name: string }[];
      };
      for (const name of ["../../etc/passwd", "/etc/passwd", "history/../../x"]) {
        manifest.files[0] = { ...manifest.files[0], name };
        writeFileSync(join(backup, "backup.json"), JSON.stringify(manifest));
        expect(await messageOfRejection(restore()), name).to.match(
          /expected a name inside the backup/,
        );
      }
    });
  });

  it("makes a store of its own: the database of the one is refused by the other", async () => {
    await withShop(async ({ store, folder, back, restore }) => {
      await back();
      await restore();
      const restored = join(folder, "restored", "herkoop.sqlite");
      store.sqlite.pragma("wal_checkpoint(TRUNCATE)");
      writeFileSync(restored, readFileSync(join(folder, "backup", "herkoop.sqlite")));
      expect(await messageOfRejection(openStore(join(folder, "restored")))).to.match(
        /belongs to another store/,
      );
    });
  });
});
