import { expect } from "chai";
import { fixedClock, ServiceError, type Store } from "../../src/base/index.ts";
import {
  decideDuplicate,
  getDuplicate,
  listDuplicates,
  personOfIdentifier,
  searchDuplicates,
} from "../../src/customers/index.ts";
import { customerOfIdentifier } from "../../src/customers/person-store.ts";
import { decidePair } from "../../src/customers/unmerge-store.ts";
import { addCustomer } from "../support/identity.ts";
import { generatePeople } from "../support/people.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-05-01T00:00:00Z");

/** A shop of generated customers. */
async function withCustomers(work: (store: Store) => Promise<void>): Promise<void> {
  await withStore(async (store) => {
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
      addCustomer(store, record_id, Object.fromEntries(said), "crm_id");
    }
    await work(store);
  });
}

describe("the review queue of duplicates", function () {
  this.timeout(120_000);

  it("holds the pairs, the heaviest first, and joins nothing by itself", async () => {
    await withCustomers(async (store) => {
      const report = await searchDuplicates(store, clock);
      const all = listDuplicates(store, "pending", 1000);
      expect(report).to.include({ records: 90, joined: 0, pending: all.length });
      expect(all.length).to.be.within(15, 80);
      expect(all.map((one) => one.matchWeight)).to.deep.equal(
        all.map((one) => one.matchWeight).sort((a, b) => b - a),
      );
      const [first = expect.fail()] = all;
      expect(first).to.include({ status: "pending", decidedAt: null, decidedBy: null });
      expect(JSON.stringify(first.explanation)).to.not.include("@");
    });
  });

  it("pages without a gap", async () => {
    await withCustomers(async (store) => {
      await searchDuplicates(store, clock);
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
    await withCustomers(async (store) => {
      await searchDuplicates(store, clock);
      const [first = expect.fail(), second = expect.fail()] = listDuplicates(store, "pending", 2);
      const separated = decideDuplicate(store, clock, {
        id: first.id,
        status: "separated",
        by: "eva",
      });
      expect(separated).to.include({
        status: "separated",
        decidedBy: "eva",
        decidedAt: clock.now(),
      });
      decideDuplicate(store, clock, { id: second.id, status: "joined", by: "eva" });
      decideDuplicate(store, clock, { id: second.id, status: "joined", by: "tom" });
      const customerOf = (id: number): number | undefined => customerOfIdentifier(store, id);
      expect(customerOf(second.leftIdentifierId)).to.equal(customerOf(second.rightIdentifierId));
      expect(customerOf(first.leftIdentifierId)).to.not.equal(customerOf(first.rightIdentifierId));
      await searchDuplicates(store, clock);
      expect(getDuplicate(store, first.id).status).to.equal("separated");
      expect(getDuplicate(store, second.id)).to.include({ status: "joined", decidedBy: "eva" });
      const pending = listDuplicates(store, "pending", 1000);
      expect(pending.map(({ id }) => id)).to.not.include.members([first.id, second.id]);
    });
  });

  it("remembers a separation by the customers, also under an older identifier", async () => {
    await withCustomers(async (store) => {
      await searchDuplicates(store, clock);
      const [pair = expect.fail()] = listDuplicates(store, "pending", 1);
      decideDuplicate(store, clock, { id: pair.id, status: "separated", by: "eva" });
      // The right one turns out to have an identifier that is older than all others.
      store.sqlite
        .prepare(
          `INSERT INTO identifier (id, type, value, customer_id, source, first_seen_at, linked_at)
           SELECT 0, 'loyalty_id', 'L-1', customer_id, 'shop', 0, 0 FROM identifier WHERE id = ?`,
        )
        .run(pair.rightIdentifierId);
      expect(personOfIdentifier(store, pair.rightIdentifierId)?.identifierId).to.equal(0);
      await searchDuplicates(store, clock);
      const isBack = listDuplicates(store, "pending", 1000).some(
        (one) => one.leftIdentifierId === 0 && one.rightIdentifierId === pair.leftIdentifierId,
      );
      expect(isBack).to.equal(false);
    });
  });

  it("joins from the threshold on that the operator gives, and leaves what must not join", async () => {
    await withCustomers(async (store) => {
      await searchDuplicates(store, clock);
      const [apart = expect.fail()] = listDuplicates(store, "pending", 1);
      const ids = [apart.leftIdentifierId, apart.rightIdentifierId] as const;
      decidePair(store, clock, "separate", ids, {
        reason: "known to be twins",
        isAutomatic: false,
      });
      const report = await searchDuplicates(store, clock, { joinAbove: 20 });
      expect(report.refused).to.equal(1);
      expect(report.joined).to.be.at.least(3);
      const joined = listDuplicates(store, "joined", 1000);
      expect(joined.every((one) => one.matchWeight >= 20)).to.equal(true);
      expect(joined[0]?.decidedBy).to.equal("threshold 20");
      const left = listDuplicates(store, "pending", 1000).filter((one) => one.matchWeight >= 20);
      expect(left).to.have.lengthOf(1);
      const again = await searchDuplicates(store, clock);
      expect(again.records).to.be.below(90);
    });
  });

  it("joins two accounts on a person's word only", async () => {
    await withStore((store) => {
      const ids = [addCustomer(store, "a", {}), addCustomer(store, "b", {})] as const;
      const decide = (isAutomatic: boolean): void => {
        decidePair(store, clock, "join", ids, { reason: "alike", isAutomatic });
      };
      expect(() => {
        decide(true);
      }).to.throw(ServiceError, "only a person's word joins them");
      decide(false);
      expect(customerOfIdentifier(store, ids[1])).to.equal(ids[0]);
      return Promise.resolve();
    });
  });

  it("refuses thresholds that contradict each other", async () => {
    await withCustomers(async (store) => {
      const error = await searchDuplicates(store, clock, {
        reviewAbove: 5,
        joinAbove: 3,
      }).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(ServiceError);
      expect(error).to.include({ code: "invalid-input", field: "join-above" });
      expect(() => getDuplicate(store, 1e6)).to.throw(ServiceError, "there is no duplicate");
    });
  });
});
