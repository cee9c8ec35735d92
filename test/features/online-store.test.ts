import { expect } from "chai";
import { separateIdentifiers } from "../../src/customers/index.ts";
import { openOnlineStore, wholeService } from "../../src/features/index.ts";
import { openStream, settableClock } from "../support/stream.ts";
import { withStore } from "../support/temporary.ts";

describe("features online", () => {
  it("are of customers: those of a product are refused, not answered by zeros", async () => {
    await withStore((store) => {
      const online = openOnlineStore(store);
      expect(() => online.readAt(wholeService("product"), 1, 0)).to.throw(
        "service: expected features of a customer, a pair or a customer_category, got those of a product",
      );
      return Promise.resolve();
    });
  });

  it("are those of whoever an identifier belongs to, through a join and its undoing", async () => {
    await withStore(async (store) => {
      const clock = settableClock(Date.parse("2024-03-01T10:00:00Z"));
      const online = openOnlineStore(store);
      const take = openStream(store, clock, online);
      const service = wholeService("customer");
      const viewed = { type: "track", event: "Product Viewed", properties: { product_id: "A" } };
      const send = (who: "user" | "visitor" | "both"): Promise<void> =>
        take({ waitMs: 1, lateMs: 0, who: [who, 1], what: viewed });
      const views = (): number[] =>
        store.sqlite
          .prepare<[], number>("SELECT id FROM customer WHERE merged_into IS NULL ORDER BY id")
          .pluck()
          .all()
          .map((id) => {
            const [row] = online.readAt(service, id, clock.now() + 1).rows;
            return Number(row?.[service.features.indexOf("browsing_events_1h")]);
          });

      await send("user");
      await send("visitor");
      expect(views()).to.eql([1, 1]);
      await send("both");
      expect(views()).to.eql([3]);
      await send("visitor");
      expect(views()).to.eql([4]);
      separateIdentifiers(
        store,
        clock,
        { type: "user_id", value: "u1" },
        { type: "anonymous_id", value: "v1" },
        "two people",
      );
      expect(views()).to.eql([2, 2]);
    });
  });
});
