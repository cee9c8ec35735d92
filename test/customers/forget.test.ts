import { join } from "node:path";
import { expect } from "chai";
import {
  createLogger,
  createProblems,
  DAY_MS,
  fixedClock,
  type Store,
  silentProgress,
  toIso,
} from "../../src/base/index.ts";
import { createCollector, createWriteKey } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { findCustomer } from "../../src/customers/index.ts";
import { applyRetention, applyRetentionDaily, type Service } from "../../src/service.ts";
import { historyRows } from "../support/live.ts";
import { withStore } from "../support/temporary.ts";

const NOW = Date.parse("2024-07-01T00:00:00Z");

function serviceOver(store: Store, folder: string, now: number): Service {
  return {
    config: readConfig({ store: join(folder, "store") }),
    store,
    clock: { now: () => now },
    logger: createLogger("silent"),
    progress: silentProgress,
    problems: createProblems(),
    close: () => undefined,
  };
}

async function visit(store: Store): Promise<void> {
  const { source } = createWriteKey(store, fixedClock("2024-01-01T00:00:00Z"), "web");
  const call = (id: string, days: number, rest: object): [object, number] => [
    {
      type: "track",
      messageId: id,
      event: "Product Viewed",
      timestamp: toIso(NOW - days * DAY_MS),
      ...rest,
    },
    NOW - days * DAY_MS,
  ];
  for (const [one, at] of [
    call("1", 100, { anonymousId: "gone" }),
    call("2", 100, { anonymousId: "returned" }),
    call("3", 10, { anonymousId: "returned" }),
    call("4", 100, { anonymousId: "eva" }),
    call("5", 95, { anonymousId: "eva", userId: "eva" }),
    call("6", 100, {
      anonymousId: "buyer",
      event: "Order Completed",
      properties: { order_id: "o", total: 5 },
    }),
    call("7", 900, { userId: "jan" }),
  ]) {
    await createCollector(store, { now: () => at }).collect({ source, calls: [one] });
  }
}

const LEFT = "SELECT message_id AS id FROM history ORDER BY 1";

describe("retention", () => {
  it("forgets visitors who never became known, and old lines of those who did", async () => {
    await withStore(async (store, folder) => {
      await visit(store);
      const service = serviceOver(store, folder, NOW);
      const report = await applyRetention(service);
      expect(report).to.deep.include({ visitors: 1, recentLines: 3 });
      const left = (await historyRows(store, LEFT)).map((row) => row["id"]);
      expect(left).to.deep.equal(["3", "4", "5", "6"]);
      const isKnown = (type: string, value: string): boolean => {
        try {
          return findCustomer(store, { type, value }).id > 0;
        } catch {
          return false;
        }
      };
      expect(isKnown("anonymous_id", "gone")).to.equal(false);
      for (const value of ["returned", "eva", "buyer"]) {
        expect(isKnown("anonymous_id", value), value).to.equal(true);
      }
      expect(isKnown("user_id", "jan")).to.equal(true);
      expect(await applyRetention(service)).to.deep.include({ visitors: 0, recentLines: 0 });
    });
  });

  it("is applied once a day, a day after a server first ran", async () => {
    await withStore(async (store, folder) => {
      await visit(store);
      const lines = async (): Promise<number> => (await historyRows(store, LEFT)).length;
      await applyRetentionDaily(serviceOver(store, folder, NOW));
      expect(await lines()).to.equal(0, "nothing is sealed yet");
      await applyRetentionDaily(serviceOver(store, folder, NOW + DAY_MS - 1));
      expect(await lines()).to.equal(0);
      await applyRetentionDaily(serviceOver(store, folder, NOW + DAY_MS));
      expect(await lines()).to.equal(4);
    });
  });
});
