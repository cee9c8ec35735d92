import { expect } from "chai";
import { createProblems } from "../../src/base/index.ts";
import { withEmptyApi, withShopApi } from "../support/web.ts";

describe("health", () => {
  it("is preparing while nothing is published", async () => {
    await withEmptyApi(async ({ get }) => {
      const { status, body } = await get("/v1/health");
      expect(status).to.equal(200);
      expect(body).to.deep.include({
        status: "preparing",
        asOf: null,
        dataThrough: null,
        rows: 0,
        customers: 0,
        models: { "repurchase-week": null, "conversion-intent": null },
      });
    });
  });

  it("says how much there is, how fresh, and by which models", async () => {
    await withShopApi(async ({ get }) => {
      const fresh = { asOf: "2011-12-10T00:00:00Z", computedAt: "2011-12-10T06:00:00Z" };
      const { body } = await get("/v1/health");
      expect(body).to.deep.include({
        status: "ok",
        asOf: "2011-12-10T00:00:00Z",
        dataThrough: "2011-12-09T00:00:00Z",
        rows: 10,
        customers: 13,
        models: {
          "repurchase-week": { modelVersion: "repurchase-v1", ...fresh },
          "conversion-intent": { modelVersion: "intent-v1", ...fresh },
        },
      });
    });
  });

  it("is degraded while something needs an operator", async () => {
    const problems = createProblems();
    await withEmptyApi(
      async ({ get }) => {
        problems.report("not-sealed", "events wait in the inbox");
        const { body } = await get("/v1/health");
        expect(body).to.deep.include({
          status: "degraded",
          problems: [{ code: "not-sealed", message: "events wait in the inbox" }],
        });
        problems.clear("not-sealed");
        expect((await get("/v1/health")).body).to.deep.include({
          status: "preparing",
          problems: [],
        });
      },
      { problems },
    );
  });

  it("leads on from the root: every link of the index answers", async () => {
    await withShopApi(async ({ get }) => {
      const { body } = await get("/");
      const { name, links } = body as { name: string; links: Record<string, string> };
      expect(name).to.equal("Herkoop");
      expect(Object.keys(links)).to.have.lengthOf.at.least(9);
      for (const link of Object.values(links)) {
        expect((await get(link)).status, link).to.equal(200);
      }
    });
  });
});
