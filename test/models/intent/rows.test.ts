import { expect } from "chai";
import { silentProgress } from "../../../src/base/index.ts";
import { intentService, visitMoments } from "../../../src/features/index.ts";
import { outcomesOf, readIntentRows, rowsBetween } from "../../../src/models/intent/rows.ts";
import { importLines, type ShopLine, shopMapping } from "../../support/shop.ts";
import { withStore } from "../../support/temporary.ts";

const HOUR = 3_600_000;
const at = (text: string): number => Date.parse(`2024-03-${text}Z`);

const REQUEST = {
  from: at("01T00:00:00"),
  until: at("20T00:00:00"),
  knownBefore: at("20T00:00:00"),
  perVisit: 100,
  poolDays: 30,
  seed: 1,
};

const view = (visitor: string, instant: string, known?: string): ShopLine => ({
  visitor,
  event: "view",
  at: `2024-03-${instant}Z`,
  ...(known === undefined ? {} : { known: `2024-03-${known}Z` }),
});

describe("features/visit-moments", () => {
  it("are the instants just after events were known, never the one at which the order was placed", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        view("v", "02T10:00:00"),
        view("v", "02T10:05:00"),
        // Two products at one instant are one moment; so is what is known half an hour late.
        { ...view("v", "02T10:05:00"), product: "B" },
        view("v", "02T10:10:00", "02T10:40:00"),
        { visitor: "v", event: "order", order: "o", at: "2024-03-02T11:00:00Z" },
        view("v", "02T11:00:00"),
        // A clock that was wrong, or a file: known a day later.
        view("v", "03T10:00:00", "04T10:00:00"),
      ]);
      const found = await visitMoments(store, REQUEST);
      const visiting = [...found.cutoffs.keys()].filter((row) => found.isVisiting[row] === 1);
      expect(visiting.map((row) => found.cutoffs[row])).to.deep.equal([
        at("02T10:00:00") + 1,
        at("02T10:05:00") + 1,
        at("02T10:40:00") + 1,
      ]);
      expect(visiting.map((row) => found.orders[row])).to.deep.equal([
        at("02T11:00:00"),
        at("02T11:00:00"),
        at("02T11:00:00"),
      ]);
      const away = [...found.cutoffs.keys()].filter((row) => found.isVisiting[row] === 0);
      expect(away.length).to.be.within(2, 3);
      expect(away.every((row) => (found.cutoffs[row] ?? 0) > at("02T10:00:00"))).to.equal(true);
    });
  });

  it("are those of a visitor's visit, too, where the order says for the first time who it was", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        view("v", "02T10:00:00"),
        view("v", "02T10:05:00"),
        { visitor: "v", user: "jan", event: "order", order: "o", at: "2024-03-02T10:20:00Z" },
      ]);
      const found = await visitMoments(store, REQUEST);
      const visiting = [...found.cutoffs.keys()].filter((row) => found.isVisiting[row] === 1);
      expect(visiting.map((row) => [found.cutoffs[row], found.orders[row]])).to.deep.equal([
        [at("02T10:00:00") + 1, at("02T10:20:00")],
        [at("02T10:05:00") + 1, at("02T10:20:00")],
      ]);
    });
  });

  it("of a giant visit are drawn, each standing for its share", async () => {
    await withStore(async (store, folder) => {
      const many = Array.from({ length: 50 }, (_, index) =>
        view("v", `02T10:${String(index).padStart(2, "0")}:00`),
      );
      await importLines(store, folder, many);
      const found = await visitMoments(store, { ...REQUEST, perVisit: 10 });
      const weights = [...found.weights].filter((_, row) => found.isVisiting[row] === 1);
      expect(weights).to.have.lengthOf(10);
      expect(weights.reduce((sum, one) => sum + one, 0)).to.be.closeTo(50, 1e-9);
      const others = await visitMoments(store, { ...REQUEST, perVisit: 10, seed: 2 });
      expect([...others.cutoffs]).not.to.deep.equal([...found.cutoffs]);
    });
  });
});

describe("models/intent/rows", () => {
  it("count an order in the span it fell into, and only spans that were seen whole", () => {
    const cutoffs = new Float64Array(4).fill(1000);
    const orders = Float64Array.from([1000, 1099, 1100, Number.POSITIVE_INFINITY]);
    const seen = outcomesOf(orders, cutoffs, [100, 500], 1500);
    expect([...seen.events]).to.deep.equal([0, 0, 1, -1]);
    expect([...seen.observed]).to.deep.equal([2, 2, 2, 2]);
    const early = outcomesOf(orders, cutoffs, [100, 500], 1499);
    expect([...early.events]).to.deep.equal([0, 0, -1, -1]);
    expect([...early.observed]).to.deep.equal([1, 1, 1, 1]);
  });

  it("leave bots out, and tell of no outcome that was not known", async () => {
    await withStore(async (store, folder) => {
      const bot = Array.from({ length: 240 }, (_, index) => ({
        ...view("bot", "02T10:00:00"),
        at: new Date(at("02T10:00:00") + 1000 * index).toISOString(),
      }));
      await importLines(
        store,
        folder,
        [
          ...bot,
          view("person", "02T10:00:00"),
          { visitor: "person", event: "order", order: "o", at: "2024-03-02T10:30:00Z" },
        ],
        shopMapping({ knownAt: "occurredAt" }),
      );
      const step = silentProgress.begin("rows");
      const rows = await readIntentRows(
        store,
        intentService,
        [HOUR],
        { ...REQUEST, perVisit: 1000, poolDays: 0 },
        1000,
        step,
      );
      // The first hundred instants of a bot are those of anybody in a hurry.
      expect(rows.botRows).to.equal(240 - 99);
      const judged = rowsBetween(rows, [HOUR], [0, REQUEST.until], REQUEST.until);
      expect([...judged.dataset.events].filter((event) => event === 0)).to.have.lengthOf(1);
      const before = rowsBetween(rows, [HOUR], [0, REQUEST.until], at("02T10:59:59"));
      expect([...before.dataset.events].every((event) => event === -1)).to.equal(true);
      expect([...before.dataset.observed].every((spans) => spans === 0)).to.equal(true);
    });
  });
});
