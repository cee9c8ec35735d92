import { join } from "node:path";
import { expect } from "chai";
import { createLogger, silentProgress } from "../../src/base/index.ts";
import { defaultAsOf } from "../../src/collection/index.ts";
import {
  backtestFigure,
  backtestSeries,
  lastJudgeableCutoff,
  repurchaseTask,
} from "../../src/models/index.ts";
import { weekLifts } from "../../src/models/lift.ts";
import { seriesText } from "../../src/text.ts";
import { hazardRows } from "../support/rows.ts";
import { importLines, rhythmicOrders, shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

describe("models/backtest-series", function () {
  this.timeout(300_000);

  it("counts hits and lift of the top rows of each week by hand", () => {
    const rows = hazardRows(200, 2, 1);
    const events = Int16Array.from({ length: 200 }, (_, row) => (row < 3 ? 0 : row < 10 ? 1 : -1));
    // Row r has the r-th greatest probability of the first week, the r-th least of the second.
    const distribution = Float64Array.from({ length: 600 }, (_, cell) => {
      const row = Math.floor(cell / 3);
      return [0.4 - row / 1000, 0.1 + row / 1000, 0.5][cell % 3] ?? 0;
    });
    const lifts = weekLifts({ ...rows, events }, distribution, 2);
    expect(lifts.map(({ week, top }) => [week, top])).to.deep.equal([
      [1, 0.01],
      [1, 0.05],
      [1, 0.1],
      [2, 0.01],
      [2, 0.05],
      [2, 0.1],
    ]);
    // Week 1: both of the top 1% bought, 3 of the top 5% (10 rows), of a base of 3 in 200.
    expect(lifts[0]?.hitRate).to.be.closeTo(1, 1e-12);
    expect(lifts[0]?.lift).to.be.closeTo(200 / 3, 1e-9);
    expect(lifts[1]?.hitRate).to.be.closeTo(0.3, 1e-12);
    expect(lifts[3]?.hitRate).to.equal(0);
  });

  it("gives mean and range over cutoffs and seeds, and draws them", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(40, 300));
      const context = {
        store,
        modelsFolder: join(folder, "models"),
        clock: shopClock,
        logger: createLogger("silent"),
        progress: silentProgress,
        asOf: defaultAsOf(store, shopClock),
      };
      const task = repurchaseTask({ horizonWeeks: 2 });
      const small = {
        ...task,
        settings: { ...task.settings, epochs: 1, hiddenUnits: [8], batchSize: 512, hinges: 0 },
      };
      const series = await backtestSeries(context, small, {
        last: lastJudgeableCutoff(task, context.asOf),
        cutoffs: 2,
        seeds: 2,
      });
      expect(series.cutoffs).to.have.length(2);
      expect(series.seeds).to.deep.equal([7, 8]);
      expect(series.reports.map(({ seed }) => seed)).to.deep.equal([7, 8, 7, 8]);
      const nll = series.systems["network"]?.metrics["nll"];
      const runs = series.reports.map(({ systems }) => systems["network"]?.metrics["nll"] ?? 0);
      expect(nll?.mean).to.be.closeTo(runs.reduce((sum, one) => sum + one, 0) / 4, 1e-12);
      expect([nll?.low, nll?.high]).to.deep.equal([Math.min(...runs), Math.max(...runs)]);
      expect(series.systems["network"]?.weeks).to.have.length(6);
      expect(seriesText(series, "network")).to.include("week 2, top 10%");
      const svg = await backtestFigure(series, "network");
      expect(svg).to.match(/^<svg[\s\S]*<\/svg>$/);
      expect(svg).to.include("Reliability within 4 weeks").and.include("top 10%");
    });
  });
});
