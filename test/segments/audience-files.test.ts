import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Store } from "../../src/base/index.ts";
import { readConfig } from "../../src/config.ts";
import { joinIdentifiers, separateIdentifiers } from "../../src/customers/index.ts";
import {
  cleanAudienceFiles,
  exportAudiences,
  openFileCleaner,
  RETARGETING_POOL,
} from "../../src/segments/index.ts";
import { startServer } from "../../src/server.ts";
import { openService } from "../../src/service.ts";
import { herkoop } from "../support/command.ts";
import { inFolder, withStore } from "../support/temporary.ts";
import { clock, fillShop, publishShop } from "../support/web.ts";

const pool = (store: Store): string => join(store.path("audiences"), `${RETARGETING_POOL}.csv`);
const week = (store: Store): string => join(store.path("audiences"), "repurchase-2011-W50.csv");

function rowsOf(file: string): string[] {
  return readFileSync(file, "utf8").split("\n").slice(1, -1);
}

/** Whom a file names, in its order. */
function named(file: string): string[] {
  return rowsOf(file).map((row) => row.split(",")[2] ?? "");
}

function deny(store: Store, customer: number, purpose: string): void {
  store.sqlite
    .prepare(
      `INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at) VALUES (?, ?, 'denied', 's', 'b', 0)
       ON CONFLICT (customer_id, purpose) DO UPDATE SET status = 'denied'`,
    )
    .run(customer, purpose);
}

async function withFiles(work: (store: Store) => Promise<void>): Promise<void> {
  await withStore(async (store) => {
    await fillShop(store);
    await exportAudiences(store, store.path("audiences"));
    await cleanAudienceFiles(store);
    await work(store);
  });
}

describe("audience files inside the store", () => {
  it("lose who withdraws, for the purpose of each file, and leave every other byte", async () => {
    await withFiles(async (store) => {
      const before = [pool(store), week(store)].map(rowsOf);
      const [poolBefore = [], weekBefore = []] = before;
      expect(named(pool(store))).to.include.members(["jan.jansen", "'=cmd()", "user-6"]);
      deny(store, 1, "advertising");
      expect(await cleanAudienceFiles(store)).to.deep.equal({ files: 1, removed: 1 });
      expect(rowsOf(pool(store))).to.deep.equal(
        poolBefore.filter((row) => !row.includes("jan.jansen")),
      );
      expect(rowsOf(week(store))).to.deep.equal(weekBefore);
      deny(store, 2, "analytics");
      await cleanAudienceFiles(store);
      for (const file of [pool(store), week(store)]) {
        expect(named(file)).to.not.include("'=cmd()");
      }
      store.sqlite.exec("UPDATE consent SET status = 'granted'");
      await cleanAudienceFiles(store, true);
      expect(named(pool(store))).to.not.include("jan.jansen", "a file gains nobody");
    });
  });

  it("are looked at only where somebody may have left, and replaced only where somebody did", async () => {
    await withFiles(async (store) => {
      const file = pool(store);
      const { ino } = statSync(file);
      deny(store, 5, "advertising");
      expect(await cleanAudienceFiles(store)).to.deep.equal({ files: 0, removed: 0 });
      expect(statSync(file).ino).to.equal(ino);
      const foreign = join(store.path("audiences"), "own.csv");
      writeFileSync(foreign, "audience,customer\nretargeting-pool,nobody\n");
      expect(await cleanAudienceFiles(store, true)).to.deep.equal({ files: 0, removed: 0 });
      expect(readFileSync(foreign, "utf8")).to.include("nobody");
      // A file that comes later, of an export that had begun before somebody withdrew.
      const clean = openFileCleaner(store);
      await clean();
      const stale = readFileSync(file, "utf8");
      deny(store, 6, "advertising");
      await clean();
      expect(named(file)).to.not.include("user-6");
      writeFileSync(file, stale);
      await clean();
      expect(named(file)).to.not.include("user-6");
    });
  });

  it("lose who was erased, merged into somebody who denied, or divided from who agreed", async () => {
    await withFiles(async (store) => {
      store.sqlite.exec(
        "DELETE FROM audience_member WHERE customer_id = 6; DELETE FROM consent WHERE customer_id = 6; DELETE FROM identifier WHERE customer_id = 6",
      );
      const user = (value: string): { type: string; value: string } => ({ type: "user_id", value });
      joinIdentifiers(store, clock, user("user-8"), user("user-7"), "one person");
      await cleanAudienceFiles(store);
      // What the shop says of consent is no statement of a person here: joining settles it away.
      expect(named(pool(store))).to.not.include.members(["user-6"]);
      for (const gone of ["user-6", "user-7", "user-8"]) {
        expect(named(pool(store)), gone).to.not.include(gone);
      }
      expect(named(pool(store))).to.include("user-9");
      store.sqlite.exec(
        "UPDATE identifier SET value = 'user-9b', type = 'email' WHERE value = 'cookie/1'; UPDATE identifier SET customer_id = 9 WHERE value = 'user-9b'",
      );
      const both = [user("user-9"), { type: "email", value: "user-9b" }] as const;
      separateIdentifiers(store, clock, both[0], both[1], "two people");
      await cleanAudienceFiles(store);
      expect(named(pool(store))).to.not.include("user-9");
    });
  });

  it("follow the purpose that their name says where their version is gone", async () => {
    await withFiles(async (store) => {
      await publishShop(store);
      store.sqlite.exec("UPDATE audience SET computed_at = computed_at + 1000");
      deny(store, 1, "advertising");
      await cleanAudienceFiles(store);
      expect(named(pool(store))).to.not.include("jan.jansen");
      expect(named(pool(store))).to.include("user-6");
      expect(named(week(store))).to.include("jan.jansen");
    });
  });

  it("are cleaned by a serving server every minute, and by commands before they end", async function () {
    this.timeout(60_000);
    await inFolder(async (folder) => {
      const config = { ...readConfig({ store: join(folder, "store") }), logLevel: "silent" };
      const service = await openService(config, { quiet: true });
      const { store } = service;
      const ticks: (() => void)[] = [];
      try {
        await fillShop(store);
        await exportAudiences(store, store.path("audiences"));
        const server = await startServer(service, "127.0.0.1", 0, (intervalMs, tick) => {
          if (intervalMs === 60_000) {
            ticks.push(tick);
          }
          return () => undefined;
        });
        deny(store, 1, "advertising");
        for (const tick of ticks) {
          tick();
        }
        await server.close();
        expect(named(pool(store))).to.not.include("jan.jansen");
        deny(store, 7, "advertising");
        expect((await herkoop(config.storeFolder, "audiences")).code).to.equal(0);
        expect(named(pool(store))).to.not.include("user-7");
      } finally {
        service.close();
      }
    });
  });
});
