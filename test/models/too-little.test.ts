import { expect } from "chai";
import { createLogger, type Store, silentProgress, toIso } from "../../src/base/index.ts";
import { defaultAsOf } from "../../src/collection/index.ts";
import { getVersion, repurchaseTask, trainModel } from "../../src/models/index.ts";
import { currentRun, eachPrediction, scoreAll } from "../../src/predictions/index.ts";
import { reportTable } from "../../src/text.ts";
import { importLines, rhythmicOrders, type ShopLine, shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

interface Served {
  readonly system: string;
  readonly missing: readonly string[];
  readonly predictions: number;
}

/** Trains and scores a shop of these lines, and checks what holds of any: a proper distribution for every pair. */
async function serve(lines: readonly ShopLine[], minimumPurchases = 2): Promise<Served> {
  let served: Served = { system: "", missing: [], predictions: 0 };
  await withStore(async (store: Store, folder) => {
    await importLines(store, folder, lines);
    const context = {
      store,
      modelsFolder: `${folder}/models`,
      clock: shopClock,
      logger: createLogger("silent"),
      progress: silentProgress,
      asOf: defaultAsOf(store, shopClock),
    };
    const task = repurchaseTask({ minimumPurchases });
    const quick = { ...task, settings: { ...task.settings, hiddenUnits: [8], epochs: 1 } };
    const { artifact, report } = await trainModel(context, quick);
    await scoreAll(context, quick);
    const run = currentRun(store, "repurchase-week");
    const predictions = [...eachPrediction(store, run?.id ?? 0)];
    for (const { probabilities } of predictions) {
      expect(probabilities).to.have.length(13);
      expect(Math.min(...probabilities)).to.be.at.least(0);
      expect(probabilities.reduce((sum, p) => sum + p, 0)).to.be.closeTo(1, 1e-4);
    }
    expect(run).to.include({ modelVersion: artifact.id, system: artifact.system });
    expect(run?.missing).to.deep.equal(report.gate.missing);
    const card = getVersion(store, "repurchase-week", artifact.id).card;
    expect(card.gate.missing).to.deep.equal(report.gate.missing);
    for (const one of report.gate.missing ?? []) {
      expect(one).to.match(/: had [\d.]+, needs \d+$/);
      expect(reportTable(report)).to.contain(one);
    }
    served = {
      system: artifact.system,
      missing: report.gate.missing ?? [],
      predictions: predictions.length,
    };
  });
  return served;
}

/** The same orders, all at midnight of their day. */
function withoutHours(lines: readonly ShopLine[]): ShopLine[] {
  return lines.map((line) => ({ ...line, at: `${line.at.slice(0, 10)}T00:00:00Z` }));
}

describe("a shop with too little data for the network", function () {
  this.timeout(300_000);

  it("is served by a baseline that fits half a year, and told how many weeks are missing", async () => {
    const { system, missing, predictions } = await serve(rhythmicOrders(40, 182));
    expect(system).to.not.be.oneOf(["network", "logistic-hazard", ""]);
    expect(missing).to.include("weeks of orders: had 25.9, needs 32");
    expect(predictions).to.be.above(80);
  });

  it("gets an answer from a handful of customers in two months", async () => {
    const { system, missing, predictions } = await serve(rhythmicOrders(3, 60));
    expect(system).to.equal("poisson-gamma");
    expect(missing.join("\n")).to.match(/weeks of orders: had 7.9, needs 32/);
    expect(missing.join("\n")).to.match(/customers .*: had \d, needs 30/);
    expect(missing.join("\n")).to.match(/pairs of customer and product, .*: had \d, needs 30/);
    expect(missing.join("\n")).to.match(/repeat purchases .*: had \d+, needs 30/);
    expect(predictions).to.be.above(0);
  });

  it("is judged on a long history of few customers, and the best baseline serves", async () => {
    const { system, missing } = await serve(rhythmicOrders(12, 450));
    expect(system).to.not.equal("network");
    expect(missing).to.include(
      "customers with a product bought on 2 days or more, to be judged on: had 12, needs 30",
    );
  });

  it("is answered where every product was bought once only", async () => {
    const once = rhythmicOrders(40, 200).map((line, index) => ({ ...line, product: `X${index}` }));
    const { system, predictions } = await serve(once);
    expect(system).to.equal("poisson-gamma");
    expect(predictions).to.equal(0);
    expect((await serve(once, 1)).predictions).to.equal(once.length);
  });

  it("is answered without hours, and where every third line is a gift", async () => {
    const lines = withoutHours(rhythmicOrders(35, 430)).map((line, index) =>
      index % 3 === 0 ? { ...line, price: 0 } : line,
    );
    expect((await serve(lines)).predictions).to.be.above(70);
  });

  it("is told that gifts are no orders, where everything is free", async () => {
    const lines = rhythmicOrders(10, 200).map((line) => ({ ...line, price: 0 }));
    const { missing, predictions } = await serve(lines);
    expect(missing.join("\n")).to.match(/weeks of orders: had 0, needs 32/);
    expect(predictions).to.equal(0);
  });

  it("is answered with browsing alone", async () => {
    const views = rhythmicOrders(5, 60).map((line) => ({ ...line, event: "view" }));
    const { missing, predictions } = await serve(views);
    expect(missing.join("\n")).to.match(/weeks of orders: had 0, needs 32/);
    expect(predictions).to.equal(0);
  });

  it("is answered on its first day", async () => {
    const at = toIso(Date.UTC(2023, 0, 1, 9));
    expect((await serve([{ user: "u1", order: "o1", at }], 1)).predictions).to.equal(1);
  });
});
