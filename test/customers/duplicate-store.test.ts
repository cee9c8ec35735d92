import { expect } from "chai";
import { fixedClock, ServiceError, type Store } from "../../src/base/index.ts";
import {
  decideDuplicate,
  getDuplicate,
  type Joining,
  listDuplicates,
  personOfIdentifier,
  searchDuplicates,
} from "../../src/customers/index.ts";
import { addCustomer, ensureIdentityTables } from "../support/identity.ts";
import { generatePeople } from "../support/people.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-05-01T00:00:00Z");

/** A shop of generated customers; `joining` moves the right identifier's customer, and notes what it did. */
async function withCustomers(
  work: (shop: { store: Store; joining: Joining; done: string[] }) => Promise<void>,
): Promise<void> {
  await withStore(async (store) => {
    ensureIdentityTables(store);
    for (const row of generatePeople(4, 90)) {
      const {
        record_id,
        given_name,
        family_name,
        birth_date,
        street,
        postcode,
        city,
        email,
        phone,
      } = row;
      const traits = {
        firstName: given_name,
        last_name: family_name,
        birthday: birth_date,
        email,
        phone,
        address: { street, postalCode: postcode, city },
      };
      const said = Object.entries(traits).filter(([, value]) => value !== null);
      addCustomer(store, record_id, Object.fromEntries(said));
    }
    const done: string[] = [];
    const joining: Joining = {
      joinIdentifiers: (left, right) => {
        store.sqlite
          .prepare(
            `UPDATE identifier SET customer_id = (SELECT customer_id FROM identifier WHERE id = ?)
             WHERE customer_id = (SELECT customer_id FROM identifier WHERE id = ?)`,
          )
          .run(left, right);
        done.push(`join ${left} ${right}`);
      },
      separateIdentifiers: (left, right) => void done.push(`separate ${left} ${right}`),
    };
    await work({ store, joining, done });
  });
}

describe("the review queue of duplicates", function () {
  this.timeout(120_000);

  it("holds the pairs, the heaviest first, and joins nothing by itself", async () => {
    await withCustomers(async ({ store, joining, done }) => {
      const report = await searchDuplicates(store, clock, joining);
      const all = listDuplicates(store, "pending", 1000);
      expect(report).to.include({ records: 90, joined: 0, pending: all.length });
      expect(all.length).to.be.within(15, 80);
      expect(all.map((one) => one.matchWeight)).to.deep.equal(
        all.map((one) => one.matchWeight).sort((a, b) => b - a),
      );
      expect(done).to.deep.equal([]);
      const [first = expect.fail()] = all;
      expect(first).to.include({ status: "pending", decidedAt: null, decidedBy: null });
      expect(JSON.stringify(first.explanation)).to.not.include("@");
    });
  });

  it("pages without a gap", async () => {
    await withCustomers(async ({ store, joining }) => {
      await searchDuplicates(store, clock, joining);
      const all = listDuplicates(store, "pending", 1000).map(({ id }) => id);
      const paged: number[] = [];
      let after: readonly [number, number] | undefined;
      for (;;) {
        const page = listDuplicates(store, "pending", 7, after);
        paged.push(...page.map(({ id }) => id));
        const last = page.at(-1);
        if (last === undefined) {
          break;
        }
        after = [last.matchWeight, last.id];
      }
      expect(paged).to.deep.equal(all);
    });
  });

  it("keeps decisions when the search runs again, and brings no separated pair back", async () => {
    await withCustomers(async ({ store, joining, done }) => {
      await searchDuplicates(store, clock, joining);
      const [first = expect.fail(), second = expect.fail()] = listDuplicates(store, "pending", 2);
      const separated = decideDuplicate(store, clock, joining, {
        id: first.id,
        status: "separated",
        by: "eva",
      });
      expect(separated).to.include({
        status: "separated",
        decidedBy: "eva",
        decidedAt: clock.now(),
      });
      decideDuplicate(store, clock, joining, { id: second.id, status: "joined", by: "eva" });
      decideDuplicate(store, clock, joining, { id: second.id, status: "joined", by: "tom" });
      expect(done).to.deep.equal([
        `separate ${first.leftIdentifierId} ${first.rightIdentifierId}`,
        `join ${second.leftIdentifierId} ${second.rightIdentifierId}`,
      ]);
      await searchDuplicates(store, clock, joining);
      expect(getDuplicate(store, first.id).status).to.equal("separated");
      expect(getDuplicate(store, second.id)).to.include({ status: "joined", decidedBy: "eva" });
      const pending = listDuplicates(store, "pending", 1000);
      expect(pending.map(({ id }) => id)).to.not.include.members([first.id, second.id]);
    });
  });

  it("remembers a separation by the customers, also under an older identifier", async () => {
    await withCustomers(async ({ store, joining }) => {
      await searchDuplicates(store, clock, joining);
      const [pair = expect.fail()] = listDuplicates(store, "pending", 1);
      decideDuplicate(store, clock, joining, { id: pair.id, status: "separated", by: "eva" });
      // The right one turns out to have an identifier that is older than all others.
      store.sqlite
        .prepare(
          `INSERT INTO identifier (id, type, value, customer_id, source, first_seen_at, linked_at)
           SELECT 0, 'loyalty_id', 'L-1', customer_id, 'shop', 0, 0 FROM identifier WHERE id = ?`,
        )
        .run(pair.rightIdentifierId);
      expect(personOfIdentifier(store, pair.rightIdentifierId)?.identifierId).to.equal(0);
      await searchDuplicates(store, clock, joining);
      const isBack = listDuplicates(store, "pending", 1000).some(
        (one) => one.leftIdentifierId === 0 && one.rightIdentifierId === pair.leftIdentifierId,
      );
      expect(isBack).to.equal(false);
    });
  });

  it("joins from the threshold on that the operator gives, and leaves what must not join", async () => {
    await withCustomers(async ({ store, joining, done }) => {
      let calls = 0;
      const careful: Joining = {
        ...joining,
        joinIdentifiers: (left, right, reason) => {
          if (calls++ === 0) {
            throw new ServiceError("conflict", "two user ids never join");
          }
          joining.joinIdentifiers(left, right, reason);
        },
      };
      const report = await searchDuplicates(store, clock, careful, { joinAbove: 20 });
      expect(report.refused).to.equal(1);
      expect(report.joined).to.be.at.least(3);
      expect(done).to.have.lengthOf(report.joined);
      const joined = listDuplicates(store, "joined", 1000);
      expect(joined.every((one) => one.matchWeight >= 20)).to.equal(true);
      expect(joined[0]?.decidedBy).to.equal("threshold 20");
      const left = listDuplicates(store, "pending", 1000).filter((one) => one.matchWeight >= 20);
      expect(left).to.have.lengthOf(1);
      const again = await searchDuplicates(store, clock, joining);
      expect(again.records).to.be.below(90);
    });
  });

  it("undoes nothing where joining fails, and refuses thresholds that contradict each other", async () => {
    await withCustomers(async ({ store, joining }) => {
      await searchDuplicates(store, clock, joining);
      const [pair = expect.fail()] = listDuplicates(store, "pending", 1);
      const broken: Joining = {
        ...joining,
        joinIdentifiers: (left, right, reason) => {
          joining.joinIdentifiers(left, right, reason);
          throw new Error("disk full");
        },
      };
      expect(() =>
        decideDuplicate(store, clock, broken, { id: pair.id, status: "joined", by: "eva" }),
      ).to.throw("disk full");
      expect(getDuplicate(store, pair.id).status).to.equal("pending");
      const customers = [pair.leftIdentifierId, pair.rightIdentifierId].map(
        (id) => personOfIdentifier(store, id)?.customerId,
      );
      expect(new Set(customers).size).to.equal(2);
      const error = await searchDuplicates(store, clock, joining, {
        reviewAbove: 5,
        joinAbove: 3,
      }).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(ServiceError);
      expect(error).to.include({ code: "invalid-input", field: "join-above" });
      expect(() => getDuplicate(store, 1e6)).to.throw(ServiceError, "there is no duplicate");
    });
  });
});
