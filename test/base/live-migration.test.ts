import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "chai";
import { messageKey, openStore } from "../../src/base/index.ts";
import { migrations } from "../../src/base/migrations/index.ts";
import { inFolder } from "../support/temporary.ts";

describe("a store of before keys were public", () => {
  it("still knows its messages, counts and keys", async () => {
    await inFolder(async (folder) => {
      mkdirSync(folder, { recursive: true });
      const old = new Database(join(folder, "herkoop.sqlite"));
      old.exec("CREATE TABLE migration (name TEXT PRIMARY KEY) STRICT");
      for (const { name, sql } of migrations.filter((one) => one.name < "0004")) {
        old.exec(sql);
        old.prepare("INSERT INTO migration VALUES (?)").run(name);
      }
      old.exec(`INSERT INTO source VALUES ('webshop', '{}', 0);
        INSERT INTO write_key VALUES ('1', 'webshop', 'abc', 5, NULL);
        INSERT INTO message VALUES ('webshop', 'm1'), ('webshop', 'm2'), ('app', 'm1');
        INSERT INTO unknown_event VALUES ('webshop', 'gekocht', 7)`);
      old.close();
      const store = await openStore(folder);
      try {
        const keys = store.sqlite.prepare<[], Buffer>("SELECT key FROM message").pluck().all();
        const expected = [
          messageKey("webshop", "m1"),
          messageKey("webshop", "m2"),
          messageKey("app", "m1"),
        ];
        expect(keys).to.have.deep.members(expected);
        expect(store.sqlite.prepare("SELECT is_public FROM write_key").pluck().all()).to.deep.equal(
          [0],
        );
        const counted = store.sqlite
          .prepare("SELECT source, kind, name, count FROM message_count")
          .raw()
          .all();
        expect(counted).to.deep.equal([["webshop", "unknown_event", "gekocht", 7]]);
      } finally {
        store.close();
      }
    });
  });
});
