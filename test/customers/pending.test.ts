import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import type { Store, Turns } from "../../src/base/index.ts";
import { historyFiles, importFile } from "../../src/collection/index.ts";
import { finishResolving, resolveCustomers } from "../../src/customers/index.ts";
import { type ShopLine, shopClock, shopMapping, writeLines } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

/** Everything that resolving writes, but instants of writing. */
const TABLES = {
  identifier: "*",
  customer: "*",
  identifier_link: "*",
  identifier_activity: "*",
  order_summary: "*",
  recent_event: "*",
  trait: "*",
  consent: "*",
  stated_consent: "*",
  customer_change: "*",
  pending_file: "*",
  pending_activity: "*",
  pending_order: "*",
  consent_renewal: "*",
  history_file: "name, is_resolved",
};

function contents(store: Store): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(TABLES).map(([table, columns]) => [
      table,
      store.sqlite.prepare(`SELECT ${columns} FROM ${table} ORDER BY 1, 2`).all(),
    ]),
  );
}

/** Ninety visitors of whom some log in, buy and give back. */
function shopLines(): ShopLine[] {
  return Array.from({ length: 90 }, (_, index): ShopLine[] => {
    const at = `2024-0${1 + (index % 5)}-${String(1 + (index % 27)).padStart(2, "0")}T10:00:00Z`;
    const visitor = `v${index}`;
    const user = `u${index % 20}`;
    const order = { event: "order", order: `o${index}`, product: "A", quantity: 1, price: 10 };
    return [
      { visitor, event: "view", product: "A", at },
      ...(index % 3 === 0 ? [{ visitor, user, event: "view", product: "B", at }] : []),
      ...(index % 4 === 0 ? [{ user, ...order, at }] : []),
      ...(index % 8 === 0 ? [{ user, ...order, event: "refund", at }] : []),
    ];
  }).flat();
}

const CONSENT = { consent: { basis: "terms of the shop", purposes: ["advertising"] } };

async function withImported(work: (store: Store) => Promise<void>): Promise<void> {
  await withStore(async (store, folder) => {
    const file = writeLines(join(folder, "shop.csv"), shopLines());
    await importFile(store, shopClock, { file, mapping: shopMapping(CONSENT) });
    await work(store);
  });
}

const AT_ONCE: Turns = { turnMs: Number.POSITIVE_INFINITY, pause: () => Promise.resolve() };

async function resolvedAtOnce(): Promise<Record<string, unknown[]>> {
  let expected: Record<string, unknown[]> = {};
  await withImported(async (store) => {
    await resolveCustomers(store, shopClock, AT_ONCE);
    expected = contents(store);
  });
  return expected;
}

/** Turns of so many steps, of which the last one that is allowed is followed by the end of the writer. */
function endingAfter(turns: number, stepsMax: number): Turns {
  let left = turns;
  return {
    stepsMax,
    pause: () => {
      left--;
      return left < 0 ? Promise.reject(new Error("killed")) : Promise.resolve();
    },
  };
}

/** Whether it came to its end. */
async function resolveUntilKilled(store: Store, turns: Turns): Promise<boolean> {
  return resolveCustomers(store, shopClock, turns).then(
    () => true,
    (error: unknown) => {
      expect((error as Error).message).to.equal("killed");
      return false;
    },
  );
}

/** Resolves again and again, a little further each time, until the sums of the file are on their way to profiles. */
async function resolveUntilReady(store: Store): Promise<void> {
  const ready = store.sqlite.prepare<[], number>("SELECT is_ready FROM pending_file").pluck();
  for (let turns = 20; ready.get() !== 1; turns += 2) {
    expect(await resolveUntilKilled(store, endingAfter(turns, 8))).to.equal(false);
  }
}

describe("resolving in turns", function () {
  this.timeout(180_000);

  it("says the same whatever a turn holds, and wherever it is interrupted", async () => {
    const expected = await resolvedAtOnce();
    expect(expected["pending_file"]).to.deep.equal([]);
    expect(expected["order_summary"]).to.have.length.above(10);
    expect(expected["consent"]).to.have.length.above(10);
    let interrupted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 0, maxLength: 4 }),
        async (stepsMax, ends) => {
          await withImported(async (store) => {
            for (const turns of ends) {
              const isDone = await resolveUntilKilled(store, endingAfter(turns, stepsMax));
              interrupted += isDone ? 0 : 1;
            }
            await resolveCustomers(store, shopClock, { ...AT_ONCE, stepsMax });
            expect(contents(store)).to.deep.equal(expected);
          });
        },
      ),
      { numRuns: 8, seed: 15 },
    );
    expect(interrupted).to.be.above(3);
  });

  it("is finished by the next writer, and until then shows of a person all or nothing", async () => {
    const expected = await resolvedAtOnce();
    await withImported(async (store) => {
      const waits = store.sqlite
        .prepare<[], number>("SELECT count(*) FROM pending_activity")
        .pluck();
      await resolveUntilReady(store);
      const error: unknown = await finishResolving(store, endingAfter(0, 8)).catch(
        (thrown: unknown) => thrown,
      );
      expect((error as Error).message).to.equal("killed");
      expect(waits.get()).to.be.above(0);
      expect(historyFiles(store, "unresolved")).to.have.length(1);
      const both = store.sqlite
        .prepare(
          `SELECT identifier_id FROM identifier_activity INTERSECT SELECT identifier_id FROM (
             SELECT identifier_id FROM pending_activity UNION SELECT identifier_id FROM pending_order)`,
        )
        .all();
      expect(both).to.deep.equal([]);
      await finishResolving(store);
      expect(historyFiles(store, "unresolved")).to.deep.equal([]);
      await resolveCustomers(store, shopClock);
      expect(contents(store)).to.deep.equal(expected);
    });
  });

  it("counts nothing of a person who is erased in between", async () => {
    await withImported(async (store) => {
      const waits = store.sqlite
        .prepare<[], number>("SELECT max(identifier_id) FROM pending_activity")
        .pluck();
      await resolveUntilReady(store);
      const gone = waits.get() ?? 0;
      expect(gone).to.be.above(0);
      store.sqlite.prepare("DELETE FROM identifier WHERE id = ?").run(gone);
      await finishResolving(store);
      for (const table of [
        "pending_activity",
        "pending_order",
        "identifier_activity",
        "order_summary",
      ]) {
        const rows = store.sqlite.prepare(`SELECT * FROM ${table} WHERE identifier_id = ?`);
        expect(rows.all(gone), table).to.deep.equal([]);
      }
    });
  });
});
