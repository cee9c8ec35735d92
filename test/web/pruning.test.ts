import { expect } from "chai";
import { CURVE, STAMPS, withEmptyApi, withShopApi } from "../support/web.ts";

const CUT = "/v1/pruning/cut";

describe("pruning", () => {
  it("shows the champion's curve and the size of the pool", async () => {
    await withShopApi(async ({ get }) => {
      expect((await get("/v1/pruning/curve")).body).to.deep.equal({
        ...STAMPS.intent,
        testCutoffs: ["2011-11-12T00:00:00Z", "2011-11-19T00:00:00Z"],
        poolSize: 10,
        curve: CURVE,
      });
    });
  });

  it("cuts for a loss, by the low end unless the expected share is asked for", async () => {
    await withShopApi(async ({ get }) => {
      const cut = { ...STAMPS.intent, audience: "retargeting-pool", poolSize: 10 };
      expect((await get(`${CUT}?maximumLoss=0.02&bound=expected`)).body).to.deep.equal({
        ...cut,
        ...CURVE[1],
        members: 6,
        rule: "at most 2% of conversions lost (expected)",
        // Positions 3 and 4 did not consent: the sixth member is at position 8.
        thresholdProbability: 0.55,
      });
      const cautious = await get(`${CUT}?maximumLoss=0.02`);
      expect(cautious.body).to.deep.include({ pruned: 0, members: 10, thresholdProbability: 0.35 });
      expect((await get(`${CUT}?maximumLoss=0.04&bound=low`)).body).to.deep.include({ members: 6 });
    });
  });

  it("cuts for a budget at a cost per member", async () => {
    await withShopApi(async ({ get }) => {
      expect((await get(`${CUT}?budget=0.5&costPerMember=0.1`)).body).to.deep.include({
        members: 5,
        pruned: 0.5,
        thresholdProbability: 0.6,
      });
      expect((await get(`${CUT}?budget=0.3&costPerMember=0.1`)).body).to.deep.include({
        members: 3,
      });
      expect((await get(`${CUT}?budget=6.9`)).body).to.deep.include({ members: 6 });
      expect((await get(`${CUT}?budget=1000`)).body).to.deep.include({ members: 10, pruned: 0 });
      expect((await get(`${CUT}?budget=0`)).body).to.deep.include({
        members: 0,
        thresholdProbability: null,
      });
    });
  });

  it("judges a pool by the version that ranked it, not by a champion that has not scored", async () => {
    await withShopApi(async ({ get, store }) => {
      store.sqlite.exec(
        `INSERT INTO model_version SELECT 'intent-v2', model, kind, folder,
           json_set(card, '$.pruning', json('[{"pruned":0,"kept":1,"low":1,"high":1}]')),
           as_of, data_through, created_at + 1 FROM model_version WHERE id = 'intent-v1';
         UPDATE model_alias SET version_id = 'intent-v2' WHERE version_id = 'intent-v1'`,
      );
      const cut = await get(`${CUT}?maximumLoss=0.02&bound=expected`);
      expect(cut.body).to.deep.include({ modelVersion: "intent-v1", members: 6 });
      const curve = await get("/v1/pruning/curve");
      expect(curve.body).to.deep.include({ modelVersion: "intent-v2" });
    });
  });

  it("is not ready before a training, and has no cut before a pool", async () => {
    await withEmptyApi(async ({ get }) => {
      for (const address of ["/v1/pruning/curve", `${CUT}?maximumLoss=0.02`]) {
        const { status, headers } = await get(address);
        expect(status).to.equal(503);
        expect(headers["retry-after"]).to.equal("10");
      }
    });
    await withShopApi(async ({ get, store }) => {
      store.sqlite.exec("DELETE FROM audience");
      expect((await get("/v1/pruning/curve")).body).to.deep.include({ poolSize: null });
      expect((await get(`${CUT}?maximumLoss=0.02`)).status).to.equal(503);
    });
  });
});
