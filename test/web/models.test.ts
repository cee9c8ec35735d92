import { expect } from "chai";
import { describeFeatures, featuresNamed, repurchaseService } from "../../src/features/index.ts";
import { CURVE, cardOf, withEmptyApi, withShopApi } from "../support/web.ts";

describe("models", () => {
  it("are listed with what network, champion and best baseline were worth", async () => {
    await withShopApi(async ({ get }) => {
      const { body } = await get("/v1/models");
      const { data } = body as { data: { versions: object[] }[] };
      const baseline = { system: "logistic-hazard", metrics: { auc: 0.7, log_loss: 0.5 } };
      expect(data[0]).to.deep.equal({
        model: "repurchase-week",
        champion: "repurchase-v1",
        versions: [
          {
            id: "repurchase-v1",
            system: "logistic-hazard",
            aliases: ["champion"],
            asOf: "2011-12-10T00:00:00Z",
            dataThrough: "2011-12-09T00:00:00Z",
            createdAt: "2011-12-10T06:00:00Z",
            isGatePassed: false,
            network: { system: "network", metrics: { auc: null, log_loss: 0.5 } },
            champion: baseline,
            bestBaseline: baseline,
          },
        ],
      });
      expect(data[1]).to.deep.include({ model: "conversion-intent", champion: "intent-v1" });
      expect(data[1]?.versions[0]).to.deep.include({
        isGatePassed: true,
        champion: { system: "network", metrics: { auc: null, log_loss: 0.5 } },
      });
    });
  });

  it("show a version with its whole card", async () => {
    await withShopApi(async ({ get }) => {
      const { body } = await get("/v1/models/conversion-intent/versions/intent-v1");
      expect(body).to.deep.equal({
        id: "intent-v1",
        model: "conversion-intent",
        system: "network",
        aliases: ["champion"],
        asOf: "2011-12-10T00:00:00Z",
        dataThrough: "2011-12-09T00:00:00Z",
        createdAt: "2011-12-10T06:00:00Z",
        card: cardOf("conversion-intent", "network", CURVE),
      });
    });
  });

  it("are listed, without versions, before the first training", async () => {
    await withEmptyApi(async ({ get }) => {
      expect((await get("/v1/models")).body).to.deep.equal({
        data: [
          { model: "repurchase-week", champion: null, versions: [] },
          { model: "conversion-intent", champion: null, versions: [] },
        ],
      });
    });
  });
});

describe("features", () => {
  it("are all in the catalogue, without their SQL", async () => {
    await withEmptyApi(async ({ get }) => {
      const { data } = (await get("/v1/features")).body as { data: Record<string, unknown>[] };
      expect(data).to.deep.equal(describeFeatures());
      expect(data.length).to.be.greaterThan(20);
      expect(JSON.stringify(data)).to.not.match(/SELECT|CAST|NULL/);
    });
  });

  it("are listed by entity, view and service, and shown one by one", async () => {
    await withEmptyApi(async ({ get }) => {
      const listed = await get("/v1/features?entity=customer&service=repurchase-week");
      const { data } = listed.body as { data: { name: string; entity: string }[] };
      expect(data.map(({ name }) => name)).to.deep.equal(
        featuresNamed(repurchaseService.features)
          .filter(({ entity }) => entity === "customer")
          .map(({ name }) => name),
      );
      expect((await get("/v1/features/pair_overdue_ratio")).body).to.deep.include({
        kind: "feature",
        feature: describeFeatures().find(({ name }) => name === "pair_overdue_ratio"),
      });
      const view = (await get("/v1/features/customer_orders")).body;
      expect(view).to.have.nested.include({ kind: "view", "view.relation": "purchase" });
      const service = (await get("/v1/features/conversion-intent")).body;
      expect(service).to.have.nested.include({ kind: "service", "service.entity": "customer" });
      const refused = await get("/v1/features/pair_recency");
      expect(refused.status).to.equal(404);
      expect(JSON.stringify(refused.body)).to.include("nearest: pair_recency_days");
      expect((await get("/v1/features?view=pair_purchase")).status).to.equal(404);
    });
  });
});
