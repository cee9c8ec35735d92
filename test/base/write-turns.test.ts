import { expect } from "chai";
import {
  openStore,
  ServiceError,
  type Store,
  whenFree,
  writeTransaction,
} from "../../src/base/index.ts";
import { waitOffLoop } from "../../src/base/sqlite.ts";
import { writeInTurns } from "../../src/base/write-turns.ts";
import { withStore } from "../support/temporary.ts";

/** A store, and another opening of it, with a table to write to. */
async function withTwo(work: (store: Store, other: Store) => Promise<void>): Promise<void> {
  await withStore(async (store) => {
    const other = await openStore(store.folder);
    store.sqlite.exec("CREATE TABLE number (n INTEGER) STRICT");
    try {
      await work(store, other);
    } finally {
      other.close();
    }
  });
}

function insert(store: Store, n: number): void {
  store.sqlite.prepare("INSERT INTO number VALUES (?)").run(n);
}

function numbers(store: Store): number[] {
  return store.sqlite.prepare<[], number>("SELECT n FROM number ORDER BY rowid").pluck().all();
}

const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("writing while others write", () => {
  it("waits off the event loop, and writes once", async () => {
    await withTwo(async (store, other) => {
      const waitAgain = waitOffLoop(store.sqlite);
      other.sqlite.exec("BEGIN IMMEDIATE");
      const pauses: number[] = [];
      const write = (): void => {
        writeTransaction(store.sqlite, () => {
          insert(store, 1);
        });
      };
      await whenFree(store.sqlite, write, {
        pause: (milliseconds) => {
          pauses.push(milliseconds);
          if (pauses.length === 5) {
            other.sqlite.exec("COMMIT");
          }
          return Promise.resolve();
        },
      });
      expect(pauses).to.deep.equal([1, 2, 3, 3, 3]);
      expect(numbers(store)).to.deep.equal([1]);
      waitAgain();
      expect(store.sqlite.pragma("busy_timeout", { simple: true })).to.equal(10_000);
    });
  });

  it("says in words that the store stayed busy, and nothing else of it", async () => {
    await withTwo(async (store, other) => {
      waitOffLoop(store.sqlite);
      other.sqlite.exec("BEGIN IMMEDIATE");
      const pause = (): Promise<void> => Promise.resolve();
      const write = (): void => {
        insert(store, 1);
      };
      const error = await thrownBy(whenFree(store.sqlite, write, { waitMs: 50, pause }));
      expect(error).to.be.instanceOf(ServiceError).and.include({ code: "busy" });
      expect((error as Error).message).to.match(/another process is writing/);
      other.sqlite.exec("COMMIT");
      const fault = await thrownBy(
        whenFree(store.sqlite, () => store.sqlite.prepare("SELECT absent"), { pause }),
      );
      expect((fault as Error).message).to.match(/no such column/);
    });
  });

  it("lets others write between two turns, and shows them whole turns", async () => {
    await withTwo(async (store, other) => {
      waitOffLoop(other.sqlite);
      const items = Array.from({ length: 10 }, (_, index) => index);
      const seen: number[] = [];
      let now = 0;
      await writeInTurns(
        store,
        items,
        (n) => {
          now += 4;
          insert(store, n);
          expect(() => {
            insert(other, -1);
          }).to.throw(/locked/);
        },
        {
          turnMs: 10,
          now: () => now,
          pause: () => {
            seen.push(numbers(other).length);
            insert(other, 100 + seen.length);
            return Promise.resolve();
          },
        },
      );
      // Three items of 4 ms are the first to take 10 ms.
      expect(seen).to.deep.equal([3, 7, 11, 13]);
      expect(numbers(store)).to.deep.equal([0, 1, 2, 101, 3, 4, 5, 102, 6, 7, 8, 103, 9, 104]);
    });
  });

  it("keeps the turns before one that fails", async () => {
    await withTwo(async (store) => {
      const add = (n: number): void => {
        insert(store, n);
        if (n === 5) {
          throw new Error("five");
        }
      };
      const pause = (): Promise<void> => Promise.resolve();
      const error = await thrownBy(
        writeInTurns(store, [1, 2, 3, 4, 5], add, { stepsMax: 2, pause }),
      );
      expect(error).to.match(/five/);
      expect(numbers(store)).to.deep.equal([1, 2, 3, 4]);
      expect(store.sqlite.pragma("synchronous", { simple: true })).to.equal(2);
    });
  });
});
