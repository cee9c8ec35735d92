import { expect } from "chai";
import { fixedClock, openStore, type Store } from "../../src/base/index.ts";
import { createCollector, sealInbox } from "../../src/collection/index.ts";
import {
  erasePerson,
  type Identifier,
  readProfile,
  resolveCustomers,
} from "../../src/customers/index.ts";
import { historyRows } from "../support/live.ts";
import { tracesIn } from "../support/planted.ts";
import { STORE_COMMITS, unpackStore } from "../support/stores.ts";
import { inFolder } from "../support/temporary.ts";

const clock = fixedClock("2026-12-01T00:00:00Z");
const anna: Identifier = { type: "user_id", value: "u-anna" };
const bram: Identifier = { type: "user_id", value: "u-bram" };
const cleo: Identifier = { type: "user_id", value: "u-cleo" };
const ALL = { orders: 100, events: 100 };

/** Commits before live collection; their stores hold the file's four orders alone. */
const FROM_FILES = ["0dbd0a4", "fad8173"];

describe("a store of an earlier commit, upgraded", () => {
  it("is there for every text that a migration ever had", () => {
    expect(STORE_COMMITS).to.have.members([
      ...FROM_FILES,
      ...["36a6dca", "efc273e", "1f08148", "436bac7"],
    ]);
  });

  for (const commit of STORE_COMMITS) {
    const isLive = !FROM_FILES.includes(commit);

    it(`knows its customers, their orders and consents: ${commit}`, async () => {
      await withUpgraded(commit, async (store) => {
        const { customers } = await resolveCustomers(store, clock);
        expect(customers).to.equal(isLive ? 5 : 3);
        const orders = readProfile(store, anna, ALL).orders.map(({ orderId }) => orderId);
        expect(orders).to.deep.equal(isLive ? ["w2", "1003", "1001"] : ["1003", "1001"]);
        const [order] = readProfile(store, cleo, ALL).orders;
        expect(order).to.include({ orderId: "1004", amount: 21.75, currency: "EUR" });
        expect(consentsOf(store, anna)).to.deep.equal([["advertising", "granted"]]);
        const said = isLive ? "denied" : "granted";
        expect(consentsOf(store, bram)).to.deep.equal([["advertising", said]]);
        const names = readProfile(store, anna, ALL).traits.map(({ name }) => name);
        expect(names).to.have.members(isLive ? ["email", "firstName"] : []);
      });
    });

    it(`counts each event once, also when it is resolved twice: ${commit}`, async () => {
      await withUpgraded(commit, async (store) => {
        await resolveCustomers(store, clock);
        await resolveCustomers(store, clock);
        const counted = "SELECT sum(event_count) FROM identifier_activity";
        expect(store.sqlite.prepare(counted).pluck().get()).to.equal(isLive ? 11 : 4);
      });
    });

    it(`takes in new events and keeps its history readable: ${commit}`, async () => {
      await withUpgraded(commit, async (store) => {
        await createCollector(store, clock).collect({
          source: isLive ? "web" : "till",
          calls: [
            { type: "track", messageId: "n1", userId: "u-anna", event: "Product Viewed" },
            ...(isLive ? [{ type: "track", messageId: "m3", userId: "u-dirk", event: "x" }] : []),
          ],
        });
        await resolveCustomers(store, clock);
        await sealInbox(store);
        const rows = await historyRows(
          store,
          "SELECT source, count(*)::INTEGER AS lines FROM history GROUP BY source ORDER BY source",
        );
        expect(rows).to.deep.equal(
          isLive
            ? [
                { source: "page", lines: 2 },
                { source: "till", lines: 4 },
                { source: "web", lines: 6 },
              ]
            : [{ source: "till", lines: 5 }],
        );
      });
    });

    it(`erases a person: ${commit}`, async () => {
      await withUpgraded(commit, async (store) => {
        await erasePerson(store, clock, anna, { modelsFolder: "/nowhere" });
        store.sqlite.pragma("wal_checkpoint(TRUNCATE)");
        expect(await tracesIn(store, ["u-anna", "anna@shop.example"])).to.deep.equal([]);
        expect(() => readProfile(store, anna, ALL)).to.throw(/erased|nothing|no /);
        expect(readProfile(store, cleo, ALL).orders).to.have.lengthOf(1);
      });
    });
  }
});

async function withUpgraded(commit: string, work: (store: Store) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const store = await openStore(unpackStore(commit, folder));
    try {
      await work(store);
    } finally {
      store.close();
    }
  });
}

function consentsOf(store: Store, identifier: Identifier): (readonly [string, string])[] {
  return readProfile(store, identifier, ALL).consents.map(({ purpose, status }) => [
    purpose,
    status,
  ]);
}
