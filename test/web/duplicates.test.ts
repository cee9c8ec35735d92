import { expect } from "chai";
import type { Store } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { addCustomer, addDuplicate } from "../support/identity.ts";
import { clock, withEmptyApi } from "../support/web.ts";

const PAIR = {
  id: 1,
  identifierIds: [1, 2],
  matchWeight: 3,
  probability: 0.8889,
  status: "pending",
  foundAt: "1970-01-01T00:00:00Z",
  decidedAt: null,
  decidedBy: null,
  explanation: {
    prior: -12,
    comparisons: [{ comparison: "given_name", level: "equal", weight: 15.5 }],
    household: -0.5,
  },
};

describe("duplicates", () => {
  it("are listed by status, page by page, kept by no cache", async () => {
    await withEmptyApi(async ({ get, store }) => {
      addDuplicate(store);
      addDuplicate2(store);
      const first = await get("/v1/duplicates?limit=1");
      expect(first.headers["cache-control"]).to.equal("no-store");
      const { data, page } = first.body as { data: unknown[]; page: { next: string } };
      expect(data).to.deep.equal([PAIR]);
      const second = await get(`/v1/duplicates?limit=1&cursor=${page.next}`);
      expect(second.body).to.deep.include({ page: { next: null, limit: 1 } });
      expect((await get("/v1/duplicates?status=joined")).body).to.deep.include({ data: [] });
    });
  });

  it("show the two as they are known now", async () => {
    await withEmptyApi(async ({ get, store }) => {
      addDuplicate(store);
      const { body } = await get("/v1/duplicates/1");
      expect(body).to.deep.equal({
        ...PAIR,
        people: [
          { identifierId: 1, customerId: 1, fields: { given_name: "one" } },
          { identifierId: 2, customerId: 2, fields: { given_name: "two" } },
        ],
      });
    });
  });

  it("are decided only by who shows a key, and the decision is recorded", async () => {
    await withEmptyApi(async ({ get, post, store }) => {
      addDuplicate(store);
      const { key } = createWriteKey(store, clock, "crm");
      const refused = await post("/v1/duplicates/1/join", "wrong", {});
      expect(refused.status).to.equal(401);
      const shown = createWriteKey(store, clock, "page", { isPublic: true });
      expect((await post("/v1/duplicates/1/join", shown.key, {})).status).to.equal(401);
      const joined = await post("/v1/duplicates/1/join", key, {});
      expect(joined.status).to.equal(200);
      expect(joined.body).to.deep.equal({
        ...PAIR,
        status: "joined",
        decidedAt: "2011-12-10T06:00:00Z",
        decidedBy: "API, key of crm",
      });
      await post("/v1/duplicates/1/separate", key, {});
      const { body } = await get("/v1/duplicates?status=separated");
      expect(body).to.have.nested.property("data[0].id", 1);
    });
  });

  it("answer problems for what is not there or not a number", async () => {
    await withEmptyApi(async ({ get }) => {
      for (const [address, status] of [
        ["/v1/duplicates/7", 404],
        ["/v1/duplicates/1.5", 400],
        ["/v1/duplicates/0", 400],
        ["/v1/duplicates?status=lost", 400],
      ] as const) {
        const answer = await get(address);
        expect(answer.status, address).to.equal(status);
        expect(answer.headers["content-type"]).to.include("application/problem+json");
      }
    });
  });
});

/** A lighter pair: the first person and somebody else. */
function addDuplicate2(store: Store): void {
  const other = addCustomer(store, "somebody", {});
  store.sqlite
    .prepare(
      `INSERT INTO duplicate (left_identifier_id, right_identifier_id, match_weight, probability, explanation, found_at)
       SELECT left_identifier_id, ?, 2, 0.8, explanation, 0 FROM duplicate`,
    )
    .run(other);
}
