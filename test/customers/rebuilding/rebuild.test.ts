import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { openStore, ServiceError, type Store } from "../../../src/base/index.ts";
import {
  compactHistory,
  createCollector,
  createWriteKey,
  historyFiles,
  importFile,
  listQuarantined,
  listWriteKeys,
  sealInbox,
  setAsideUnlisted,
} from "../../../src/collection/index.ts";
import {
  erasePerson,
  readProfile,
  rebuildDatabase,
  resolveCustomers,
  separateIdentifiers,
} from "../../../src/customers/index.ts";
import { historyRows, orderCall } from "../../support/live.ts";
import { importLines, shopClock, shopMapping } from "../../support/shop.ts";
import { inFolder } from "../../support/temporary.ts";

const LIMITS = { events: 100, orders: 100 };

/** A shop with an import and three sealed batches, of which customers know all. */
async function fillShop(store: Store, folder: string): Promise<void> {
  createWriteKey(store, shopClock, "webshop");
  await importLines(store, folder, [
    { user: "u1", order: "o1", at: "2024-01-01T10:00:00Z" },
    { user: "u2", order: "o2", at: "2024-01-02T10:00:00Z" },
  ]);
  const collector = createCollector(store, shopClock);
  for (const batch of ["a", "b", "c"]) {
    await collector.collect({
      source: "webshop",
      calls: [
        orderCall(`${batch}1`, { userId: "u3", anonymousId: `visitor-${batch}` }),
        {
          type: "identify",
          messageId: `${batch}2`,
          userId: "u3",
          traits: { email: "u3@example.com", name: "Ann" },
          context: { consent: { categoryPreferences: { advertising: batch !== "c" } } },
        },
        { type: "track", messageId: `${batch}3`, userId: "u4", event: "Product Viewed" },
        {
          type: "identify",
          messageId: `${batch}4`,
          userId: "u5",
          traits: { email: "u3@example.com" },
        },
      ],
    });
    await resolveCustomers(store, shopClock);
    await sealInbox(store);
  }
}

function everything(store: Store): unknown {
  const identifiers = store.sqlite
    .prepare<[], { type: string; value: string }>(
      "SELECT type, value FROM identifier WHERE customer_id IS NOT NULL ORDER BY type, value",
    )
    .all();
  return {
    profiles: identifiers.map((one) => readProfile(store, one, LIMITS)),
    links: store.sqlite
      .prepare(
        `SELECT min(a.value, b.value) AS one, max(a.value, b.value) AS other, l.reason, l.first_occurred_at
         FROM identifier_link l JOIN identifier a ON a.id = l.low_id JOIN identifier b ON b.id = l.high_id ORDER BY 1, 2`,
      )
      .all(),
    imports: store.sqlite.prepare("SELECT * FROM import_run").all(),
    sources: store.sqlite.prepare("SELECT name, mapping FROM source ORDER BY name").all(),
  };
}

/** Runs work over a shop that was filled and closed. */
async function withShop(
  work: (store: string, before: unknown, folder: string) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const path = join(folder, "store");
    const store = await openStore(path);
    await fillShop(store, folder);
    const before = everything(store);
    store.close();
    await work(path, before, folder);
  });
}

async function rebuild(
  folder: string,
  changes: object = {},
): Promise<Awaited<ReturnType<typeof rebuildDatabase>>> {
  return rebuildDatabase(shopClock, {
    ...{ folder, from: undefined, leaveOutDamaged: false },
    ...changes,
  });
}

function dropDatabase(folder: string): void {
  for (const part of ["", "-wal", "-shm"]) {
    rmSync(join(folder, `herkoop.sqlite${part}`), { force: true });
  }
}

async function refusalOf(folder: string): Promise<string> {
  try {
    (await openStore(folder)).close();
  } catch (error) {
    expect(error).to.be.instanceOf(ServiceError).and.to.include({ code: "conflict" });
    return (error as Error).message;
  }
  return "opened";
}

const inHistory = (folder: string): string[] => readdirSync(join(folder, "history")).sort();

describe("a store without its database", () => {
  it("is not opened, and nothing in it changes", async () => {
    await withShop(async (folder) => {
      const files = inHistory(folder);
      dropDatabase(folder);
      expect(await refusalOf(folder)).to.match(/is missing.*4 history files.*herkoop rebuild/);
      writeFileSync(join(folder, "herkoop.sqlite"), "");
      expect(await refusalOf(folder)).to.match(/is empty.*4 history files.*herkoop rebuild/);
      expect(inHistory(folder)).to.deep.equal(files);
      expect(readFileSync(join(folder, "herkoop.sqlite"))).to.have.lengthOf(0);
    });
  });

  it("gets a new one that says the same of every customer, by the same numbers", async () => {
    await withShop(async (folder, before) => {
      dropDatabase(folder);
      const report = await rebuild(folder);
      expect(report).to.deep.include({
        ...{ files: 4, rows: 17, imports: 1, sources: 2, messages: 12, leftOut: [] },
        ...{ carriedOver: null, formerDatabase: null },
      });
      const store = await openStore(folder);
      try {
        expect(everything(store)).to.deep.equal(before);
        const again = await createCollector(store, shopClock).collect({
          source: "webshop",
          calls: [orderCall("a1", { userId: "u3" }), orderCall("new", { userId: "u3" })],
        });
        expect(again.map(({ status }) => status)).to.deep.equal(["duplicate", "accepted"]);
        await resolveCustomers(store, shopClock);
        expect((await sealInbox(store)).lines).to.equal(2);
        expect(await historyRows(store, "SELECT * FROM history")).to.have.lengthOf(19);
      } finally {
        store.close();
      }
    });
  });

  it("knows its imports, so that a file that comes again brings nothing", async () => {
    await withShop(async (folder, _before, outer) => {
      dropDatabase(folder);
      await rebuild(folder);
      const store = await openStore(folder);
      try {
        const file = join(outer, "events.csv");
        const report = await importFile(store, shopClock, { file, mapping: shopMapping() });
        expect(report).to.include({ alreadyImported: true, rowsAccepted: 0 });
      } finally {
        store.close();
      }
    });
  });

  it("counts no row twice where files were merged, with the folder's list and without it", async () => {
    for (const hasList of [true, false]) {
      await withShop(async (folder, before) => {
        const store = await openStore(folder);
        const reader = await store.openDuckDb();
        await compactHistory(store, {
          limits: { fullBytes: 2 ** 26, filesMin: 3, filesMax: 10 },
        });
        expect(historyFiles(store)).to.have.lengthOf(2);
        expect(inHistory(folder)).to.have.lengthOf(5);
        reader.close();
        store.close();
        dropDatabase(folder);
        if (!hasList) {
          rmSync(join(folder, "store.json"));
        }
        const report = await rebuild(folder);
        expect(report).to.deep.include({ files: 2, rows: 17, messages: 12 });
        expect(report.leftOut).to.have.lengthOf(3);
        const rebuilt = await openStore(folder);
        expect(everything(rebuilt)).to.deep.equal(before);
        rebuilt.close();
      });
    }
  });

  it("refuses to go on without a damaged file, unless it is told to", async () => {
    await withShop(async (folder) => {
      dropDatabase(folder);
      const name = inHistory(folder).find((one) => one.startsWith("live-")) ?? "";
      const bytes = readFileSync(join(folder, "history", name));
      bytes[100] = (bytes[100] ?? 0) ^ 0xff;
      writeFileSync(join(folder, "history", name), bytes);
      let message = "";
      await rebuild(folder).catch((error: unknown) => {
        message = (error as Error).message;
      });
      expect(message).to.include(`${name} (its bytes have changed)`);
      expect(readdirSync(folder).filter((one) => one.startsWith("herkoop.sqlite"))).to.be.empty;
      const report = await rebuild(folder, { leaveOutDamaged: true });
      expect(report).to.deep.include({ files: 3, leftOut: [name] });
    });
  });
});

describe("a database that is behind or foreign", () => {
  it("is refused next to a newer history; a rebuild keeps what the history lacks", async () => {
    await withShop(async (folder, _before, outer) => {
      copyFileSync(join(folder, "herkoop.sqlite"), join(outer, "yesterday.sqlite"));
      const store = await openStore(folder);
      const collector = createCollector(store, shopClock);
      await collector.collect({ source: "webshop", calls: [orderCall("d1", { userId: "u9" })] });
      await resolveCustomers(store, shopClock);
      await sealInbox(store);
      const before = everything(store);
      store.close();
      const files = inHistory(folder);

      dropDatabase(folder);
      copyFileSync(join(outer, "yesterday.sqlite"), join(folder, "herkoop.sqlite"));
      expect(await refusalOf(folder)).to.match(/older than the history: it knows 4 changes.*5/);
      expect(inHistory(folder)).to.deep.equal(files);

      const report = await rebuild(folder);
      expect(report.carriedOver).to.include({ "write keys": 1 });
      expect(report.formerDatabase).to.match(/^quarantine\/.*herkoop\.sqlite$/);
      const rebuilt = await openStore(folder);
      expect(everything(rebuilt)).to.deep.equal(before);
      expect(listWriteKeys(rebuilt)).to.have.lengthOf(1);
      rebuilt.close();
      // The database that was refused stays refused.
      copyFileSync(join(outer, "yesterday.sqlite"), join(folder, "herkoop.sqlite"));
      expect(await refusalOf(folder)).to.match(/older than the history/);
    });
  });

  it("is refused where it is of another store", async () => {
    await withShop(async (folder) => {
      await withShop(async (other) => {
        dropDatabase(folder);
        copyFileSync(join(other, "herkoop.sqlite"), join(folder, "herkoop.sqlite"));
        expect(await refusalOf(folder)).to.match(/belongs to another store/);
        const report = await rebuild(folder);
        expect(report).to.deep.include({ carriedOver: null, files: 4 });
      });
    });
  });

  it("keeps what an operator decided, and refuses whoever was erased", async () => {
    await withShop(async (folder) => {
      const store = await openStore(folder);
      separateIdentifiers(
        store,
        shopClock,
        { type: "user_id", value: "u3" },
        { type: "user_id", value: "u5" },
        "two people",
      );
      await erasePerson(
        store,
        shopClock,
        { type: "user_id", value: "u2" },
        { modelsFolder: join(folder, "models") },
      );
      const before = everything(store);
      store.close();
      await rebuild(folder);
      const rebuilt = await openStore(folder);
      try {
        expect(everything(rebuilt)).to.deep.equal(before);
        const [refused] = await createCollector(rebuilt, shopClock).collect({
          source: "webshop",
          calls: [orderCall("e1", { userId: "u2" })],
        });
        expect(refused).to.include({ status: "rejected" });
      } finally {
        rebuilt.close();
      }
    });
  });
});

describe("an unknown file in the history", () => {
  it("is set aside with a note, never deleted", async () => {
    await withShop(async (folder) => {
      const store = await openStore(folder);
      try {
        writeFileSync(join(folder, "history", "mine.parquet"), "precious");
        writeFileSync(join(folder, "history", "orders.parquet.partial"), "half");
        const [moved] = setAsideUnlisted(store, shopClock);
        expect(moved).to.include({ from: "history/mine.parquet", bytes: 8 });
        expect(listQuarantined(store)).to.deep.equal([moved]);
        expect(readFileSync(join(folder, "quarantine", moved?.name ?? ""), "utf8")).to.equal(
          "precious",
        );
        expect(inHistory(folder)).to.deep.equal([...historyFiles(store)].sort());
      } finally {
        store.close();
      }
    });
  });
});
