import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "chai";
import { openStore, ServiceError, type Sqlite } from "../../src/base/index.ts";
import { migrations } from "../../src/base/migrations/index.ts";
import { STORE_COMMITS, unpackStore } from "../support/stores.ts";
import { inFolder, withStore } from "../support/temporary.ts";

/**
 * The texts of the migrations as they shipped. Add a line for a new migration (the failing test prints it). Never
 * change one: stores in the field have run the old text and will not run the new one.
 */
const SHIPPED: Readonly<Record<string, string>> = {
  "0001-initial": "1b1ec281a4a84fb4173e3c76d0bef53c6a6730994aae4cc9129220e5b5a2eee7",
  "0002-collection": "48a7fb8ff872f6c034fb270ff62394736b6a6ff8045d6947a782f841436257e3",
  "0003-identity": "d81ac39937a620414e5ecddbe1c7d69ca941cf84c1f5688b5f4f49151225ee00",
  "0004-duplicates": "ed57bebbc9087a3935d3d92a730705dd402632d1ffe25ecb1c7c493d40959440",
  "0005-history": "278fdea29a42fc3ccd23ab01cba7c8afd5a5aeac07b492b2f0c0b5f523cec9b5",
  "0006-import": "ca314f3af5017c878498be1f655fa372149b9fa316cebd6bac4403f6aa9f011d",
  "0007-live": "e9353114ec2459db8ce2dd1cd364a4648d635f2f48d30712185546e5d58682a0",
  "0008-rights": "281cd3733e6169faa316a9f8f2647451112b4a9291ddad94df11666d3f3c2dae",
  "0010-columns": "1347010a4ec761797016c41ef9827df3bfe7252a5f2b7dee0eb1f6389afc6272",
  "0011-feature-builds": "956c5ce9b705824d452bc79d2c46424545cfb0bc05c200ab99503880d22e81a2",
  "0012-online-features": "1e4e331a76c737a5c8e88ffab4a4ae5267fdfa6815d6ddecb4042058420159af",
  "0013-store-identity": "a98aa276bfa6c89229c35cd502dbe878c2ff3591dacd1117926debbc263593ff",
  "0014-locks": "aed6304c5492c25df6fa7fa836f8705d9591cb33b6e0bc0df8b214c0bcee8c1e",
  "0015-pending-profiles": "7f192ab0997f39d60bcbb7ac7dc6cd01772306d3a8e1f7f7630463b783b08e69",
  "0016-consent": "5e72da1d6631d5a9416bce7501de79c4e1248a916d0ee9137def091ff21da69b",
  "0017-missing-steps": "979bcb94b2e556065f3e56413c6d3c9a9f86abfb09d0768bac2b97b3a4fa85a8",
  "0018-artifact-checksums": "bd06bffb2d30ae23c407c7627cf09f3b293796753c6ea4ef60263b3ca77aca51",
  "0019-snapshot-checksum": "9c47de9699dc3d05422194a73d2f2a3f1cf5f76fde9c63997406e88db7818154",
};

describe("migrations", () => {
  it("are never edited once they shipped", () => {
    const sums = migrations.map(({ name, sql, steps }) => {
      const text = steps === undefined ? sql : JSON.stringify([sql, steps]);
      return { name, sha256: createHash("sha256").update(text).digest("hex") };
    });
    const lines = sums
      .filter(({ name }) => SHIPPED[name] === undefined)
      .map(({ name, sha256 }) => `  "${name}": "${sha256}",`);
    expect(lines, `new: add to SHIPPED in this test\n${lines.join("\n")}\n`).to.deep.equal([]);
    for (const { name, sha256 } of sums) {
      expect(
        sha256,
        `the text of ${name} changed after it shipped. Stores that have run it will never run the new text, and later migrations break on them. Restore it, and write the change as a new migration`,
      ).to.equal(SHIPPED[name]);
    }
    expect(Object.keys(SHIPPED), "a migration that shipped is gone").to.have.lengthOf(
      migrations.length,
    );
  });

  it("are listed in order, each once", () => {
    const names = migrations.map(({ name }) => name);
    expect(names).to.deep.equal([...new Set(names)].sort());
  });

  for (const commit of STORE_COMMITS) {
    it(`give a store of ${commit} the schema of a new one`, async () => {
      await inFolder(async (folder) => {
        const old = await openStore(unpackStore(commit, folder));
        try {
          await withStore((fresh) => {
            expect(schemaOf(old.sqlite)).to.deep.equal(schemaOf(fresh.sqlite));
            return Promise.resolve();
          });
          expect(old.sqlite.pragma("foreign_key_check")).to.deep.equal([]);
          expect(old.sqlite.pragma("integrity_check", { simple: true })).to.equal("ok");
        } finally {
          old.close();
        }
      });
    });
  }

  it("forget links by claims, which joined nobody and would join now", async () => {
    await inFolder(async (folder) => {
      const file = unpackStore("efc273e", folder);
      const before = new Database(join(file, "herkoop.sqlite"));
      const claims = "SELECT count(*) FROM identifier_link WHERE origin = 'claim'";
      expect(before.prepare(claims).pluck().get()).to.equal(1);
      before.close();
      const store = await openStore(file);
      try {
        const origins = store.sqlite.prepare("SELECT origin FROM identifier_link").pluck().all();
        expect(origins).to.deep.equal(["event", "event", "event"]);
      } finally {
        store.close();
      }
    });
  });

  it("leave a store that a newer program wrote as it is, and say by what", async () => {
    await inFolder(async (folder) => {
      const store = await openStore(folder);
      store.sqlite.exec("INSERT INTO migration VALUES ('9042-x')");
      store.sqlite.exec("DELETE FROM migration WHERE name = '0018-artifact-checksums'");
      store.sqlite.pragma("journal_mode = DELETE");
      store.close();
      const file = join(folder, "herkoop.sqlite");
      const bytes = readFileSync(file);
      const outcome = await openStore(folder).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(outcome).to.be.instanceOf(ServiceError);
      expect(outcome).to.include({ code: "conflict", field: "store" });
      expect((outcome as Error).message).to.equal(
        "this store was written by a newer Herkoop (it has 9042-x, which this version does not know); use that version or a newer one",
      );
      expect(readFileSync(file).equals(bytes)).to.equal(true);
    });
  });
});

/** Tables with their columns in order, keys and references, and the texts of indexes and triggers. */
function schemaOf(sqlite: Sqlite): object {
  const named = (type: string): string[] =>
    sqlite
      .prepare<[string], string>("SELECT name FROM sqlite_master WHERE type = ? ORDER BY name")
      .pluck()
      .all(type);
  const tables = named("table").map((name) => [
    name,
    sqlite.pragma(`table_xinfo("${name}")`),
    sqlite.pragma(`foreign_key_list("${name}")`),
  ]);
  const texts = sqlite
    .prepare("SELECT name, sql FROM sqlite_master WHERE type <> 'table' ORDER BY name")
    .all();
  return { tables, texts };
}
