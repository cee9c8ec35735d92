import { expect } from "chai";
import { openCheckpointer, type Store } from "../../src/base/index.ts";
import { withStore } from "../support/temporary.ts";

function fill(store: Store, rows: number): void {
  const insert = store.sqlite.prepare("INSERT INTO message VALUES (randomblob(16))");
  for (let row = 0; row < rows; row++) {
    insert.run();
  }
}

/** Pages of the log, and how many of them are in the database, too. */
function logOf(store: Store): { readonly log: number; readonly checkpointed: number } {
  const [state] = store.sqlite.pragma("wal_checkpoint(PASSIVE)") as {
    log: number;
    checkpointed: number;
  }[];
  return state ?? { log: -1, checkpointed: -1 };
}

describe("a checkpointer", () => {
  it("moves the whole log beside the event loop, so that the next commit begins it anew", async () => {
    await withStore(async (store) => {
      const checkpointer = openCheckpointer(store.sqlite);
      fill(store, 300);
      await checkpointer.run();
      fill(store, 1);
      expect(logOf(store).log).to.be.lessThan(20);
      expect(store.sqlite.prepare("SELECT count(*) FROM message").pluck().get()).to.equal(301);
      await checkpointer.close();
    });
  });

  it("goes on while commits come, and leaves the connection as it was", async () => {
    await withStore(async (store) => {
      const limit = store.sqlite.pragma("wal_autocheckpoint", { simple: true });
      const checkpointer = openCheckpointer(store.sqlite);
      const done = checkpointer.run();
      expect(checkpointer.run()).to.equal(done);
      expect(store.sqlite.pragma("wal_autocheckpoint", { simple: true })).to.not.equal(limit);
      fill(store, 300);
      await done;
      await checkpointer.close();
      expect(store.sqlite.pragma("wal_autocheckpoint", { simple: true })).to.equal(limit);
      expect(store.sqlite.prepare("SELECT count(*) FROM message").pluck().get()).to.equal(300);
    });
  });

  it("leaves the log to the connection's commits where its thread ends", async () => {
    await withStore(async (store) => {
      const limit = store.sqlite.pragma("wal_autocheckpoint", { simple: true });
      const checkpointer = openCheckpointer(store.sqlite, "/nowhere/none.sqlite");
      await checkpointer.run();
      fill(store, 10);
      expect(store.sqlite.pragma("wal_autocheckpoint", { simple: true })).to.equal(limit);
      await checkpointer.close();
    });
  });
});
