import { expect } from "chai";
import { fixedClock } from "../../src/base/index.ts";
import { createCollector, createWriteKey } from "../../src/collection/index.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-03-01T10:00:00Z");
const calls = [{ type: "track", event: "Product Viewed", userId: "u1", messageId: "m1" }];

describe("an accepted call", () => {
  it("is answered only after it is on disk", async () => {
    await withStore(async (store) => {
      createWriteKey(store, clock, "shop");
      const told: string[] = [];
      const flush = async (): Promise<void> => {
        const kept = store.sqlite.prepare("SELECT count(*) FROM inbox").pluck().get();
        told.push(`flush of ${String(kept)}`);
        await store.flush();
        told.push("flushed");
      };
      const collector = createCollector({ ...store, flush }, clock);
      const [result] = await collector.collect({ source: "shop", calls });
      told.push(result?.status ?? "");
      expect(told).to.eql(["flush of 1", "flushed", "accepted"]);
    });
  });

  it("fails where the disk does, and is durable when sent again", async () => {
    await withStore(async (store) => {
      createWriteKey(store, clock, "shop");
      let failures = 1;
      const flush = async (): Promise<void> => {
        if (failures-- > 0) {
          throw new Error("disk");
        }
        await store.flush();
      };
      const collector = createCollector({ ...store, flush }, clock);
      const failed = await collector
        .collect({ source: "shop", calls })
        .catch((error: unknown) => error);
      expect(failed).to.be.an("error").with.property("message", "disk");
      const [again] = await collector.collect({ source: "shop", calls });
      expect(again?.status).to.equal("duplicate");
    });
  });

  it("shares a flush with those that come while one is under way", async () => {
    await withStore(async (store) => {
      const insert = store.sqlite.prepare("INSERT INTO message VALUES (?)");
      const flushes = [1, 2, 3, 4].map((value) => {
        insert.run(Buffer.from([value]));
        return store.flush();
      });
      expect(new Set(flushes).size).to.equal(2);
      await Promise.all(flushes);
    });
  });
});
