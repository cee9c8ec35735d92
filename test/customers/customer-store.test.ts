import { expect } from "chai";
import { ServiceError, type Store } from "../../src/base/index.ts";
import {
  countCustomers,
  customerChanges,
  findCustomer,
  identitySql,
  listCustomers,
  resolveCustomers,
} from "../../src/customers/index.ts";
import { importLines, type ShopLine, shopClock, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const LINES: readonly ShopLine[] = [
  { user: "late", at: "2024-03-01T00:00:00Z" },
  { user: "early", at: "2024-01-01T00:00:00Z" },
  { visitor: "v1", event: "view", at: "2024-01-02T00:00:00Z" },
  { visitor: "v1", user: "early", event: "view", at: "2024-01-03T00:00:00Z" },
  { visitor: "v2", event: "view", at: "2024-02-01T00:00:00Z" },
];

async function snapshot(store: Store): Promise<unknown[]> {
  const duckdb = await store.openDuckDb();
  const rows = await duckdb.rows(
    `SELECT type, value, customer_id FROM ${identitySql(store)} ORDER BY ALL`,
  );
  duckdb.close();
  return rows.map((row) => Object.values(row));
}

describe("customers", () => {
  it("gives every identifier one customer, the earliest seen first, visitors their user's", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES);
      expect(findCustomer(store, { type: "user_id", value: "early" }).id).to.equal(1);
      expect(findCustomer(store, { type: "user_id", value: "late" }).id).to.equal(2);
      expect(findCustomer(store, { type: "anonymous_id", value: "v1" }).id).to.equal(1);
      expect(findCustomer(store, { type: "anonymous_id", value: "v2" }).id).to.equal(4);
      expect(countCustomers(store)).to.equal(3);
      expect(await snapshot(store)).to.deep.equal([
        ["anonymous_id", "v1", 1],
        ["anonymous_id", "v2", 4],
        ["user_id", "early", 1],
        ["user_id", "late", 2],
      ]);
    });
  });

  it("joins customers when an event shows that they are one; the oldest id wins", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES);
      await importLines(
        store,
        folder,
        [
          { user: "older still", at: "2020-01-01T00:00:00Z" },
          { user: "late", visitor: "v2", at: "2020-01-02T00:00:00Z" },
        ],
        shopMapping(),
        "more.csv",
      );
      expect(await snapshot(store)).to.deep.equal([
        ["anonymous_id", "v1", 1],
        ["anonymous_id", "v2", 2],
        ["user_id", "early", 1],
        ["user_id", "late", 2],
        ["user_id", "older still", 5],
      ]);
      expect(customerChanges(store, 4)[0]).to.deep.include({
        kind: "merge",
        customerId: 2,
        otherCustomerId: 4,
      });
      expect(countCustomers(store)).to.equal(3);
    });
  });

  it("writes the snapshot again where an interrupted run had not", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES);
      const before = await snapshot(store);
      store.sqlite.exec("DELETE FROM identity_snapshot");
      expect(await snapshot(store)).to.deep.equal([]);
      expect(await resolveCustomers(store, shopClock)).to.include({
        newCustomers: 0,
        newIdentifiers: 0,
      });
      expect(await snapshot(store)).to.deep.equal(before);
    });
  });

  it("records the consent an operator states, and leaves a denial as it is", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES);
      expect(findCustomer(store, { type: "user_id", value: "early" }).consents).to.deep.equal([]);
      store.sqlite
        .prepare(
          "INSERT INTO consent (customer_id, purpose, status, source, basis, recorded_at, origin) VALUES (2, 'advertising', 'denied', 'form', 'said no', 0, 'person')",
        )
        .run();
      const stated = shopMapping({ consent: { basis: "contract", purposes: ["advertising"] } });
      await importLines(
        store,
        folder,
        [{ user: "new", at: "2024-04-01T00:00:00Z" }],
        stated,
        "more.csv",
      );
      const status = (value: string): unknown =>
        findCustomer(store, { type: "user_id", value }).consents.map((one) => [
          one.purpose,
          one.status,
        ]);
      expect(status("early")).to.deep.equal([["advertising", "granted"]]);
      expect(status("late")).to.deep.equal([["advertising", "denied"]]);
    });
  });

  it("pages through customers and says when there is none, without repeating the identifier", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES);
      expect(listCustomers(store, 0, 2).map((customer) => customer.id)).to.deep.equal([1, 2]);
      expect(listCustomers(store, 2, 2).map((customer) => customer.id)).to.deep.equal([4]);
      expect(() => findCustomer(store, { type: "user_id", value: "nobody@example.com" })).to.throw(
        ServiceError,
        /^no customer has this user_id$/,
      );
      expect(() => findCustomer(store, { type: "userid", value: "17841" })).to.throw(
        ServiceError,
        /^there is no identifier type "userid"; nearest: user_id/,
      );
    });
  });
});
