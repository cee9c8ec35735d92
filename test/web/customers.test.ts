import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { herkoop } from "../support/command.ts";
import { withStore } from "../support/temporary.ts";
import { fillShop, STAMPS, withEmptyApi, withShopApi } from "../support/web.ts";

const consent = {
  status: "granted",
  source: "shop",
  basis: "opt-in at checkout",
  jurisdiction: null,
  recordedAt: "2011-12-10T00:00:00Z",
};

const jan = {
  id: 1,
  identifiers: [
    { type: "user_id", value: "jan.jansen" },
    { type: "anonymous_id", value: "cookie/1" },
  ],
  firstSeenAt: "2011-12-09T00:00:00Z",
  consents: [
    { purpose: "advertising", ...consent },
    { purpose: "personalisation", ...consent },
  ],
};

interface CustomerPage {
  readonly data: readonly { readonly id: number }[];
  readonly page: { readonly next: string | null; readonly limit: number };
}

describe("customers", () => {
  it("finds a customer by any identifier, kept by no cache", async () => {
    await withShopApi(async ({ get }) => {
      for (const address of ["user_id/jan.jansen", "anonymous_id/cookie%2F1"]) {
        const { status, body, headers } = await get(`/v1/customers/${address}`);
        expect(status).to.equal(200);
        expect(body).to.deep.equal(jan);
        expect(headers["cache-control"]).to.equal("no-store");
      }
    });
  });

  it("pages through all customers, each once, whatever the limit", async () => {
    await withShopApi(async ({ get }) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 15 }), async (limit) => {
          const seen: number[] = [];
          let next: string | null = "";
          while (next !== null) {
            const cursor: string = next === "" ? "" : `&cursor=${next}`;
            const { body } = await get(`/v1/customers?limit=${limit}${cursor}`);
            const { data, page } = body as CustomerPage;
            expect(data).to.have.lengthOf.within(1, limit);
            seen.push(...data.map(({ id }) => id));
            next = page.next;
          }
          expect(seen).to.deep.equal(Array.from({ length: 13 }, (_, index) => index + 1));
        }),
        { numRuns: 15 },
      );
    });
  });

  it("has a page of 100 unless asked otherwise, and an empty one of an empty store", async () => {
    await withEmptyApi(async ({ get }) => {
      const { body } = await get("/v1/customers");
      expect(body).to.deep.equal({ data: [], page: { next: null, limit: 100 } });
    });
  });
});

describe("a customer's predictions", () => {
  it("are by ISO week, of the running one only what is left", async () => {
    await withShopApi(async ({ get }) => {
      const { body } = await get("/v1/customers/user_id/jan.jansen/predictions");
      const prediction = {
        percentile: 0.75,
        facts: { daysSinceLastPurchase: 31, meanGapDays: null },
        // Two weeks hold 75% of the 0.28, and two thirds of the 0.21: 80% takes all three.
        window: { from: "2011-12-10T00:00:00Z", to: "2011-12-31T00:00:00Z" },
        reasons: [],
      };
      const weeks = (...probabilities: number[]): object[] =>
        [
          { week: "2011-W49", from: "2011-12-10T00:00:00Z", to: "2011-12-12T00:00:00Z" },
          { week: "2011-W50", from: "2011-12-12T00:00:00Z", to: "2011-12-19T00:00:00Z" },
          { week: "2011-W51", from: "2011-12-19T00:00:00Z", to: "2011-12-26T00:00:00Z" },
        ].map((week, index) => ({ ...week, probability: probabilities[index] }));
      expect(body).to.deep.equal({
        customer: jan,
        repurchaseWeek: {
          ...STAMPS.repurchase,
          system: "logistic-hazard",
          missing: [],
          silentUntil: null,
          predictions: [
            {
              product: "A",
              productName: 'Lavender "soap", 2 pieces',
              // 0.14 × 2/7; 0.14 × 5/7 + 0.07 × 2/7; 0.07
              weeks: weeks(0.04, 0.12, 0.07),
              within4Weeks: 0.28,
              laterOrNever: 0.72,
              expectedWeek: 1.75,
              rank: 1,
              ...prediction,
            },
            {
              product: "B",
              productName: null,
              weeks: weeks(0.02, 0.07, 0.07),
              within4Weeks: 0.21,
              laterOrNever: 0.79,
              expectedWeek: 2,
              rank: 2,
              ...prediction,
            },
          ],
        },
        conversionIntent: {
          ...STAMPS.intent,
          system: "network",
          missing: [],
          probability: 0.9,
          percentile: 1,
          facts: { orders: 12 },
        },
      });
    });
  });

  it("follow from themselves after a silence within the horizon", async () => {
    await withShopApi(async ({ get }) => {
      const address = "/v1/customers/user_id/jan.jansen/predictions";
      const { body } = await get(`${address}?silentUntil=2011-12-17`);
      const { repurchaseWeek } = body as { repurchaseWeek: Record<string, unknown> };
      expect(repurchaseWeek).to.deep.include({
        asOf: STAMPS.repurchase.asOf,
        silentUntil: "2011-12-17T00:00:00Z",
      });
      const [first] = repurchaseWeek["predictions"] as Record<string, unknown>[];
      // The first week's 0.14 is over: 0.07, 0.07 and 0.72 are left of 1.
      expect(first).to.deep.include({
        product: "A",
        within4Weeks: 0.162791,
        laterOrNever: 0.837209,
        expectedWeek: 1.5,
        window: { from: "2011-12-17T00:00:00Z", to: "2011-12-31T00:00:00Z" },
      });
      for (const silentUntil of ["2011-12-09", "2011-12-31", "tomorrow"]) {
        const refused = await get(`${address}?silentUntil=${silentUntil}`);
        expect(refused.status, silentUntil).to.equal(400);
        expect(refused.body).to.include({ field: "silentUntil" });
      }
    });
  });

  it("are told by the command line with who answered", async function () {
    this.timeout(120_000);
    await withStore(async (store, parent) => {
      await fillShop(store);
      const folder = join(parent, "store");
      const asked = ["predictions", "user_id", "jan.jansen"];
      const told = await herkoop(folder, ...asked, "--limit", "1");
      expect(told.code, told.stderr).to.equal(0);
      expect(told.stdout).to.match(/repurchase-v1 \(logistic-hazard\)/);
      expect(told.stdout).to.contain('A Lavender "soap", 2 pieces').and.to.contain("28.0%");
      expect(told.stdout).to.not.match(/^2 /m);
      const silent = await herkoop(folder, ...[...asked, "--json", "--silent-until", "2011-12-17"]);
      expect(JSON.parse(silent.stdout)).to.deep.include({
        system: "logistic-hazard",
        silentUntil: "2011-12-17T00:00:00Z",
      });
      const late = await herkoop(folder, ...asked, "--silent-until", "2012-12-17");
      expect(late.code).to.equal(2);
      expect(late.stderr).to.match(/silentUntil: expected an instant from 2011-12-10/);
    });
  });

  it("are empty for a customer outside the scored pools, and null before the first scoring", async () => {
    await withShopApi(async ({ get, store }) => {
      const address = "/v1/customers/user_id/user-5/predictions";
      const outside = await get(address);
      expect(outside.status).to.equal(200);
      expect(outside.body).to.deep.include({
        repurchaseWeek: {
          ...STAMPS.repurchase,
          system: "logistic-hazard",
          missing: [],
          silentUntil: null,
          predictions: [],
        },
        conversionIntent: null,
      });
      store.sqlite.exec("DELETE FROM prediction_run");
      expect((await get(address)).body).to.deep.include({
        repurchaseWeek: null,
        conversionIntent: null,
      });
    });
  });
});
