import { expect } from "chai";
import { pino } from "pino";
import request from "supertest";
import { fixedClock } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { createLiveResolver } from "../../src/customers/index.ts";
import { intentService } from "../../src/features/index.ts";
import { createApp } from "../../src/web/index.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-05-02T12:00:00Z");

interface Answer {
  readonly service: string;
  readonly version: number;
  readonly asOf: string;
  readonly populationAsOf: string | null;
  readonly data: readonly {
    readonly product?: string;
    readonly features: Readonly<Record<string, number | null>>;
  }[];
}

describe("features of one customer", () => {
  it("count an event as soon as it was answered, and tell which service of which version they are of", async () => {
    await withStore(async (store) => {
      const { key } = createWriteKey(store, clock, "shop");
      const app = createApp({
        store,
        clock,
        logger: pino({ level: "silent" }),
        resolveWaiting: createLiveResolver(store, clock),
      });
      const send = async (messageId: string, event: string): Promise<void> => {
        const properties = { product_id: "A", order_id: "o1", quantity: 2, price: 10 };
        await request(app)
          .post("/v1/track")
          .auth(key, "")
          .send({ messageId, event, userId: "u1", properties })
          .expect(200);
      };
      const read = async (query: string): Promise<Answer> => {
        const response = await request(app)
          .get(`/v1/customers/user_id/u1/features?${query}`)
          .expect(200)
          .expect("cache-control", "no-store");
        return response.body as Answer;
      };
      await send("m1", "Product Viewed");
      const first = await read("service=conversion_intent");
      expect(first).to.include({ service: "conversion_intent", version: intentService.version });
      expect(first.asOf).to.equal("2024-05-02T12:00:00.001Z");
      expect(Object.keys(first.data[0]?.features ?? {})).to.deep.equal(intentService.features);
      expect(first.data[0]?.features).to.include({
        views_1h: 1,
        sessions_1d: 1,
        this_session_events: 1,
        customer_frequency: 0,
        customer_recency_days: null,
      });
      await send("m2", "Order Completed");
      const second = await read("service=conversion_intent");
      expect(second.data[0]?.features).to.include({ customer_frequency: 1, customer_monetary: 20 });
      const pairs = await read("service=pair&products=A,B");
      expect(
        pairs.data.map(({ product, features }) => [product, features["pair_frequency"]]),
      ).to.deep.equal([
        ["A", 1],
        ["B", 0],
      ]);
    });
  });

  it("name the nearest service, and refuse whom nobody knows", async () => {
    await withStore(async (store) => {
      const app = createApp({ store, clock, logger: pino({ level: "silent" }) });
      const unknown = await request(app).get(
        "/v1/customers/user_id/u1/features?service=conversion_intend",
      );
      expect(unknown.status).to.equal(404);
      expect((unknown.body as { detail: string }).detail).to.include("conversion_intent");
      const nobody = await request(app).get("/v1/customers/user_id/u1/features");
      expect(nobody.status).to.equal(404);
    });
  });
});
