import { join } from "node:path";
import { expect } from "chai";
import { DAY_MS, nextTurn } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { openService } from "../../src/service.ts";
import { inFolder } from "../support/temporary.ts";

const NOON = Date.parse("2024-05-02T12:00:00Z");

interface Live {
  /** Sends a viewed product of one customer, which waits in the inbox. */
  readonly send: () => Promise<void>;
  /** How many events of the customer's last 30 days count. */
  readonly count: () => Promise<number>;
  /** Removes the customer's lines behind the server's back: only what is at hand still knows them. */
  readonly remove: () => void;
  /** Comes to an instant, and lets what the server does every minute end. */
  readonly sealAt: (now: number) => Promise<void>;
}

async function whileServing(work: (live: Live) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const config = { ...readConfig({ store: join(folder, "store") }), logLevel: "silent" };
    const opened = await openService(config, { quiet: true });
    let now = NOON;
    const service = { ...opened, clock: { now: () => now } };
    const { sqlite } = service.store;
    const ticks = new Map<number, () => void>();
    let sent = 0;
    try {
      const { key } = createWriteKey(service.store, service.clock, "web");
      const server = await startServer(service, "127.0.0.1", 0, (intervalMs, tick) => {
        ticks.set(intervalMs, tick);
        return () => undefined;
      });
      const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
      const call = async (address: string, body?: object): Promise<unknown> => {
        const answer = await fetch(`${server.url}${address}`, {
          method: body === undefined ? "GET" : "POST",
          headers: { authorization, "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        expect(answer.status).to.equal(200);
        return answer.json();
      };
      const preparedOn = sqlite
        .prepare<[], number | null>("SELECT max(day_ms) FROM population_run")
        .pluck();
      try {
        await work({
          send: async () => {
            const properties = { product_id: `P${++sent}`, price: 10 };
            const timestamp = new Date(now - 1000).toISOString();
            const said = { userId: "u1", event: "Product Viewed", timestamp, properties };
            await call("/v1/track", said);
          },
          count: async () => {
            const answer = await call(
              "/v1/customers/user_id/u1/features?service=conversion_intent",
            );
            const { data } = answer as { data: { features: { browsing_events_30d: number } }[] };
            return data[0]?.features.browsing_events_30d ?? Number.NaN;
          },
          remove: () => {
            sqlite.prepare("DELETE FROM recent_event").run();
          },
          sealAt: async (instant) => {
            now = instant;
            ticks.get(60_000)?.();
            while ((preparedOn.get() ?? 0) <= now - DAY_MS) {
              await nextTurn();
            }
          },
        });
      } finally {
        await server.close();
      }
    } finally {
      opened.close();
    }
  });
}

describe("sealing while serving", function () {
  this.timeout(60_000);

  it("leaves what is at hand of customers there, also as it makes the day's features of products", async () => {
    await whileServing(async ({ send, count, remove, sealAt }) => {
      await send();
      expect(await count()).to.equal(1);
      remove();
      await send();
      await sealAt(NOON + 60_000);
      expect(await count()).to.equal(2);
    });
  });

  it("forgets it where the day's retention may have taken something away", async () => {
    await whileServing(async ({ send, count, remove, sealAt }) => {
      await send();
      expect(await count()).to.equal(1);
      remove();
      await sealAt(NOON + DAY_MS + 60_000);
      expect(await count()).to.equal(0);
    });
  });
});
