import { expect } from "chai";
import fc from "fast-check";
import { fixedClock, type Store, writeTransaction } from "../../src/base/index.ts";
import {
  blocker,
  compareIdentifiers,
  DEFAULT_RULES,
  type Identifier,
  parseIdentityRules,
} from "../../src/customers/identity-rules.ts";
import { openIdentity } from "../../src/customers/identity-store.ts";
import {
  customerChanges,
  findCustomer,
  joinIdentifiers,
  previewVerdict,
  separateIdentifiers,
} from "../../src/customers/index.ts";
import type { SeenLink } from "../../src/customers/observation.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-07-01T00:00:00Z");
const RULES = parseIdentityRules({ caps: { email: 2, anonymous_id: 3 }, sharedAfter: 3 });

/** A sighting of a few identifiers in one event. */
interface Sighting {
  readonly names: readonly Identifier[];
  readonly at: number;
}

const identifier: fc.Arbitrary<Identifier> = fc.record({
  type: fc.constantFrom("user_id", "loyalty_id", "email", "phone", "anonymous_id"),
  value: fc.constantFrom("1", "2", "3", "4"),
});
const sighting: fc.Arbitrary<Sighting> = fc.record({
  names: fc.uniqueArray(identifier, {
    minLength: 1,
    maxLength: 3,
    selector: ({ type, value }) => `${type}:${value}`,
  }),
  at: fc.integer({ min: 0, max: 50 }),
});

function observe(store: Store, batch: readonly Sighting[], rules = RULES): void {
  const identity = openIdentity(store.sqlite, rules);
  const names = batch.flatMap(({ names: all, at }) =>
    all.map((name) => ({ ...name, source: "s", firstSeenAt: at, isTrusted: true })),
  );
  const first = new Map<string, (typeof names)[number]>();
  for (const name of names) {
    const key = `${name.type}:${name.value}`;
    const earlier = first.get(key);
    first.set(
      key,
      earlier !== undefined && earlier.firstSeenAt <= name.firstSeenAt ? earlier : name,
    );
  }
  const links = batch.flatMap(({ names: unsorted, at }) => {
    const all = [...unsorted].sort(compareIdentifiers);
    return all.flatMap((from, index) =>
      all.slice(index + 1).map(
        (to): SeenLink => ({
          from,
          to,
          source: "s",
          reason: `at ${at}`,
          occurredAt: at,
          knownAt: at,
        }),
      ),
    );
  });
  writeTransaction(store.sqlite, () => identity.observe([...first.values()], links, 0));
}

/** Who is who: groups of identifiers with when each joined, without customers' numbers. */
function people(store: Store): unknown {
  const rows = store.sqlite
    .prepare<[], { customer: number | null; name: string; linkedAt: number; status: string }>(
      "SELECT customer_id AS customer, type || ':' || value AS name, linked_at AS linkedAt, status FROM identifier ORDER BY 2",
    )
    .all();
  const groups = new Map<string, string[]>();
  for (const { customer, name, linkedAt, status } of rows) {
    const key = customer === null ? name : String(customer);
    groups.set(key, [...(groups.get(key) ?? []), `${name} ${status} since ${linkedAt}`]);
  }
  return [...groups.values()].map((group) => group.join(", ")).sort();
}

const user = (value: string): Identifier => ({ type: "user_id", value });
const email = (value: string): Identifier => ({ type: "email", value });
const visitor = (value: string): Identifier => ({ type: "anonymous_id", value });
const seen = (at: number, ...names: Identifier[]): Sighting => ({ names, at });
const customerOf = (store: Store, name: Identifier): number => findCustomer(store, name).id;

const RUNS = 100;

describe("the identity graph", () => {
  it("says the same of everybody, in whatever order and batches events arrive", async () => {
    await withStore(async (store) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(sighting, { minLength: 1, maxLength: 12 }),
          fc.infiniteStream(fc.nat()),
          (sightings, order) => {
            forget(store);
            observe(store, sightings);
            const once = people(store);
            forget(store);
            const left = [...sightings];
            while (left.length > 0) {
              observe(store, left.splice((order.next().value ?? 0) % left.length, 1));
            }
            expect(people(store)).to.deep.equal(once);
            expect(customersAreLowest(store)).to.equal(true);
            return Promise.resolve();
          },
        ),
        { numRuns: RUNS },
      );
    });
  });

  it("lets an account that is opened join its visitor, and a visitor the account that was there", async () => {
    await withStore((store) => {
      observe(store, [seen(1, visitor("new")), seen(3, visitor("new"), user("jan"))]);
      observe(store, [seen(1, visitor("old")), seen(2, user("piet"))]);
      observe(store, [seen(3, visitor("old"), user("piet"), email("piet@x.nl"))]);
      observe(store, [seen(4, visitor("phone"), user("jan"))]);
      expect(people(store)).to.deep.equal([
        "anonymous_id:new active since 0, anonymous_id:phone active since 4, user_id:jan active since 3",
        "anonymous_id:old active since 3, email:piet@x.nl active since 3, user_id:piet active since 0",
      ]);
      return Promise.resolve();
    });
  });

  it("never joins two user ids, and keeps what both share with the earlier", async () => {
    await withStore((store) => {
      observe(store, [
        seen(5, user("jan"), email("shared@x.nl")),
        seen(2, user("piet"), email("shared@x.nl")),
      ]);
      expect(customerOf(store, email("shared@x.nl"))).to.equal(customerOf(store, user("piet")));
      expect(customerOf(store, user("jan"))).to.not.equal(customerOf(store, user("piet")));
      return Promise.resolve();
    });
  });

  it("lets an identifier that many share join nobody any more", async () => {
    await withStore((store) => {
      const till = email("till@shop.nl");
      observe(
        store,
        [1, 2, 3].map((n) => seen(n, user(`u${n}`), till)),
      );
      expect(customerOf(store, till)).to.equal(customerOf(store, user("u1")));
      observe(store, [seen(4, user("u4"), till)]);
      expect(() => customerOf(store, till)).to.throw("no customer has this email");
      expect(new Set([1, 2, 3, 4].map((n) => customerOf(store, user(`u${n}`)))).size).to.equal(4);
      return Promise.resolve();
    });
  });

  it("separates what was joined wrongly, says before what that changes, and remembers it", async () => {
    await withStore((store) => {
      observe(store, [seen(1, visitor("tablet"), email("a@x.nl"))], DEFAULT_RULES);
      observe(store, [seen(2, email("b@x.nl"))], DEFAULT_RULES);
      const alone = [customerOf(store, email("a@x.nl")), customerOf(store, email("b@x.nl"))];
      observe(store, [seen(3, visitor("tablet"), email("b@x.nl"))], DEFAULT_RULES);
      expect(customerOf(store, email("b@x.nl"))).to.equal(alone[0]);
      expect(customerChanges(store, alone[1])[0]).to.deep.include({
        kind: "merge",
        customerId: alone[0],
        otherCustomerId: alone[1],
        reason: "at 3",
        link: [visitor("tablet"), email("b@x.nl")],
      });

      const preview = previewVerdict(store, "separate", email("a@x.nl"), email("b@x.nl"));
      expect(preview.before).to.have.lengthOf(1);
      expect(preview.after.map(({ customerId }) => customerId)).to.deep.equal(alone);
      expect(customerOf(store, email("b@x.nl"))).to.equal(alone[0], "a preview changes nothing");
      expect(
        separateIdentifiers(store, clock, email("a@x.nl"), email("b@x.nl"), "two people"),
      ).to.deep.equal(preview);
      expect([
        customerOf(store, email("a@x.nl")),
        customerOf(store, email("b@x.nl")),
      ]).to.deep.equal(alone);

      observe(store, [seen(4, visitor("tablet"), email("b@x.nl"))], DEFAULT_RULES);
      expect(customerOf(store, email("b@x.nl"))).to.equal(alone[1]);
      expect(customerChanges(store, alone[1])[0]?.kind).to.equal("unmerge");
      return Promise.resolve();
    });
  });

  it("joins two user ids on an operator's word, and divides them again on another", async () => {
    await withStore((store) => {
      observe(store, [seen(1, user("old")), seen(2, user("new"))]);
      const before = people(store);
      joinIdentifiers(store, clock, user("old"), user("new"), "same card");
      expect(customerOf(store, user("new"))).to.equal(customerOf(store, user("old")));
      expect(() => joinIdentifiers(store, clock, user("old"), user("new"), "again")).to.throw(
        "belong to one customer already",
      );
      separateIdentifiers(store, clock, user("old"), user("new"), "no, father and son");
      expect(people(store)).to.deep.equal(before);
      return Promise.resolve();
    });
  });

  it("knows what programs write where they mean nobody", () => {
    const isBlocked = blocker(
      parseIdentityRules({ blocklist: ["Kassa1"], blockPatterns: ["^user_id:pos-"] }),
    );
    for (const value of [
      "null",
      "Undefined",
      " 0 ",
      "00000000-0000-0000-0000-000000000000",
      "[object Object]",
      "kassa1",
      "POS-7",
      "---",
    ]) {
      expect(isBlocked("user_id", value), value).to.equal(true);
    }
    expect(isBlocked("email", "guest@shop.nl")).to.equal(true);
    expect(isBlocked("phone", "+0000000000")).to.equal(true);
    for (const value of ["12", "Ж", "jan", "10", "nullah"]) {
      expect(isBlocked("user_id", value), value).to.equal(false);
    }
  });
});

function forget(store: Store): void {
  store.sqlite.exec(
    "DELETE FROM identifier_link; DELETE FROM customer_change; DELETE FROM identifier; DELETE FROM customer;",
  );
}

function customersAreLowest(store: Store): boolean {
  const wrong = store.sqlite
    .prepare<[], number>(
      `SELECT count(*) FROM (SELECT customer_id, min(id) AS lowest FROM identifier WHERE customer_id IS NOT NULL GROUP BY 1)
       JOIN customer c ON c.id = customer_id WHERE customer_id <> lowest OR c.merged_into IS NOT NULL`,
    )
    .pluck()
    .get();
  const living = store.sqlite
    .prepare<[], number>("SELECT count(*) FROM customer WHERE merged_into IS NULL")
    .pluck()
    .get();
  const distinct = store.sqlite
    .prepare<[], number>("SELECT count(DISTINCT customer_id) FROM identifier")
    .pluck()
    .get();
  return wrong === 0 && living === distinct;
}
