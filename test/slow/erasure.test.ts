import { expect } from "chai";
import {
  ERASURE_STEPS,
  erasePerson,
  listErasures,
  pendingErasures,
  readReceipt,
  resumeErasures,
} from "../../src/customers/index.ts";
import { jan, plant, plantedClock, send, tracesIn } from "../support/planted.ts";
import { withStore } from "../support/temporary.ts";

const OPTIONS = { modelsFolder: "/nowhere" };

describe("an erasure that is interrupted", () => {
  for (const last of ERASURE_STEPS) {
    it(`is finished by the next after "${last}"`, async () => {
      await withStore(async (store, folder) => {
        await plant(store, folder);
        const stop = new Error("stopped");
        const onStep = (step: string): void => {
          if (step === last) {
            throw stop;
          }
        };
        const outcome = await erasePerson(store, plantedClock, jan, { ...OPTIONS, onStep }).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(outcome).to.equal(stop);
        if (last === "resolve") {
          // Nothing was promised yet.
          expect(pendingErasures(store)).to.deep.equal([]);
          return;
        }
        const call = { type: "track", userId: "jan-7731", event: "Product Viewed" };
        const [result] = await send(store, call);
        expect(result?.status).to.equal("rejected");
        await resumeErasures(store, plantedClock, OPTIONS);
        expect(pendingErasures(store)).to.deep.equal([]);
        expect(await tracesIn(store)).to.deep.equal([]);
        const [erasure] = listErasures(store);
        const { receipt } = readReceipt(store, erasure?.id ?? "");
        const removed = new Map(receipt.stores.map((one) => [one.store, one.removed]));
        expect(removed.get("history files")).to.equal(5);
        expect(removed.get("table inbox")).to.equal(2);
        expect(receipt.verification.filesWithRemains).to.deep.equal([]);
      });
    });
  }
});
