import { expect } from "chai";
import { sendHostile } from "../support/hostile.ts";
import { withStore } from "../support/temporary.ts";

describe("hostile input", () => {
  it("gets an answer below 500, and leaves nothing that can't be read", async () => {
    await withStore(async (store) => {
      const { statuses, accepted } = await sendHostile(store, 300, 1);
      expect(accepted).to.be.greaterThan(20);
      expect([...statuses.keys()]).to.include.members([200, 400]);
    });
  });
});
