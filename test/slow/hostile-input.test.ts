import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "chai";
import { sendHostile } from "../support/hostile.ts";
import { withStore } from "../support/temporary.ts";

describe("hostile input, much of it", () => {
  it("is answered 5,000 times in flat memory", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await withStore(async (store) => {
      const { statuses, accepted, heap } = await sendHostile(store, 5_000, 100, () => {
        collect();
        return process.memoryUsage().heapUsed;
      });
      expect(accepted).to.be.greaterThan(200);
      expect([...statuses.keys()]).to.include.members([200, 400]);
      const [first = 0, last = 0] = [heap[0], heap.at(-1)];
      expect(last / first).to.be.below(1.25);
    });
  });
});
