import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { fixedClock, ServiceError, toIso } from "../../src/base/index.ts";
import {
  createCollector,
  createWriteKey,
  declareRetention,
  historyFiles,
  importFile,
  readRetention,
  runRetention,
  sealInbox,
} from "../../src/collection/index.ts";
import { keptFrom, parseRetention } from "../../src/collection/retention.ts";
import { historyRows } from "../support/live.ts";
import { importLines, type ShopLine, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const clock = fixedClock("2024-07-01T00:00:00Z");
const LEFT = "SELECT order_id AS id FROM history ORDER BY order_id";

/** A line named by its order id. */
const line = (order: string, at: string, rest: Partial<ShopLine> = {}): ShopLine => ({
  order,
  at: `${at}T00:00:00Z`,
  event: "view",
  ...rest,
});

describe("collection/retention", () => {
  it("counts months by the calendar, the last day where there is no such day", () => {
    const from = (keep: string, now: string): string | null => {
      const instant = keptFrom(keep, Date.parse(now));
      return instant === null ? null : toIso(instant);
    };
    expect(from("26 months", "2024-07-01T12:30:00Z")).to.equal("2022-05-01T12:30:00Z");
    expect(from("1 months", "2024-03-31T00:00:00Z")).to.equal("2024-02-29T00:00:00Z");
    expect(from("13 months", "2024-03-31T00:00:00Z")).to.equal("2023-02-28T00:00:00Z");
    expect(from("90 days", "2024-07-01T00:00:00Z")).to.equal("2024-04-02T00:00:00Z");
    expect(from("always", "2024-07-01T00:00:00Z")).to.equal(null);
  });

  it("takes away by class and for visitors who stayed unknown, up to the instant", async () => {
    await withStore(async (store, folder) => {
      const visitor = { visitor: "v1" };
      await importLines(store, folder, [
        line("a-old-view", "2022-04-30", { user: "jan" }),
        line("b-view-on-the-day", "2022-05-01", { user: "jan" }),
        line("c-old-order", "2010-01-01", { user: "jan", event: "order" }),
        line("d-guest-order", "2010-01-01", { ...visitor, event: "order" }),
        line("e-guest-view", "2024-04-01", visitor),
        line("f-guest-view-on-the-day", "2024-04-02", visitor),
        line("g-known-visitor", "2023-01-01", { visitor: "v2" }),
        line("h-login", "2023-01-02", { visitor: "v2", user: "eva" }),
        line("i-no-class", "2001-01-01", { user: "jan", event: "Store Visited" }),
        line("j-nobody", "2024-01-01"),
      ]);
      const files = historyFiles(store);
      const dry = await runRetention(store, clock, { dryRun: true });
      expect(dry.rules.map(({ name, rows }) => [name, rows])).to.deep.equal([
        ["browsing", 1],
        ["email", 0],
        ["anonymous", 1],
      ]);
      expect(historyFiles(store)).to.deep.equal(files);
      const report = await runRetention(store, clock);
      expect(report).to.deep.equal({ ...dry, dryRun: false, filesRewritten: 1 });
      const left = (await historyRows(store, LEFT)).map((row) => String(row["id"])[0]);
      expect(left.join("")).to.equal("bcdfghij");
      const again = await runRetention(store, clock);
      expect(again).to.deep.include({ filesRewritten: 0 });
      // Who knows better which visitors are known says so.
      const nobody = { knownVisitors: () => Promise.resolve("(SELECT 'v1')") };
      const without = await runRetention(store, clock, { ...nobody, dryRun: true });
      expect(without.rules.at(-1)).to.include({ name: "anonymous", rows: 1 });
    });
  });

  it("keeps a visitor's events whose login comes in a later file, or live", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [line("view", "2023-01-01", { visitor: "v1" })]);
      createWriteKey(store, clock, "webshop");
      const login = { type: "identify", anonymousId: "v1", userId: "jan", messageId: "1" };
      await createCollector(store, clock).collect({ source: "webshop", calls: [login] });
      await sealInbox(store);
      expect((await runRetention(store, clock)).filesRewritten).to.equal(0);
    });
  });

  it("follows the declared policy, and refuses what is none", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        line("view", "2010-01-01", { user: "jan" }),
        line("guest", "2010-01-01", { visitor: "v1", event: "Store Visited" }),
        line("order", "2014-01-01", { user: "jan", event: "order" }),
      ]);
      expect(readRetention(store)).to.deep.equal({ policy: parseRetention({}), declaredAt: null });
      declareRetention(store, clock, {
        classes: { orders: { events: ["Order Completed"], keep: "10 months" } },
        anonymous: "always",
      });
      expect(readRetention(store).declaredAt).to.equal(clock.now());
      expect((await runRetention(store, clock)).rules.map(({ name }) => name)).to.deep.equal([
        "orders",
      ]);
      expect(await historyRows(store, LEFT)).to.deep.equal([{ id: "guest" }, { id: "view" }]);
    });
    const refused = (value: unknown): string | undefined => {
      try {
        parseRetention(value);
        return undefined;
      } catch (error) {
        expect(error).to.be.instanceOf(ServiceError);
        return (error as ServiceError).field;
      }
    };
    const of = (events: string[], keep = "1 days"): object => ({ events, keep });
    expect(refused({ anonymous: "3 weeks" })).to.equal("anonymous");
    expect(refused({ classes: { a: of(["x"], "0 days") } })).to.equal("classes.a.keep");
    expect(refused({ classes: { a: of(["x"]), b: of(["y", "x"]) } })).to.equal("classes.b.events");
    expect(refused({ clases: {} })).to.equal("retention");
    expect(refused("90 days")).to.equal("retention");
  });

  it("forgets what was refused, live and in files", async () => {
    await withStore(async (store, folder) => {
      createWriteKey(store, clock, "webshop");
      const collector = createCollector(store, clock);
      await collector.collect({ source: "webshop", calls: [{ type: "track", event: "no one" }] });
      const file = join(folder, "bad.csv");
      writeFileSync(
        file,
        "event,at,known,user,visitor,order,product,quantity,price\nview,never,,jan,,,,,\n",
      );
      const { rejectsFile } = await importFile(store, clock, { file, mapping: shopMapping() });
      const at = (now: string): Promise<unknown> =>
        runRetention(store, fixedClock(now)).then(({ rejectedMessages, rejectsFiles }) => [
          rejectedMessages,
          rejectsFiles,
        ]);
      expect(await at("2024-09-29T00:00:00Z")).to.deep.equal([0, 0]);
      expect(existsSync(rejectsFile ?? "")).to.equal(true);
      expect(await at("2024-09-29T00:00:01Z")).to.deep.equal([1, 1]);
      expect(existsSync(rejectsFile ?? "")).to.equal(false);
      expect(await at("2024-09-29T00:00:01Z")).to.deep.equal([0, 0]);
    });
  });
});
