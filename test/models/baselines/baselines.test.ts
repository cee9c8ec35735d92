import { expect } from "chai";
import { seededRandom } from "../../../src/base/index.ts";
import { binnedHazards, fitBinnedHazard } from "../../../src/models/baselines/binned-hazard.ts";
import {
  fitPoissonGamma,
  poissonGammaHazards,
} from "../../../src/models/baselines/poisson-gamma.ts";
import type { Dataset } from "../../../src/models/dataset.ts";
import { sigmoid } from "../../../src/models/distribution.ts";
import { hazardRows } from "../../support/rows.ts";

describe("models/baselines", () => {
  it("finds the hazard of alike rows, and the marginal without a feature", () => {
    const rows = hazardRows(40_000, 3, 2);
    const table = fitBinnedHazard(rows, 3, "signal");
    const hazards = binnedHazards(table, rows);
    const low =
      Array.from({ length: rows.rows }, (_, row) => row).find(
        (row) => Math.abs((rows.features[2 * row] ?? 0) + 0.5) < 0.01,
      ) ?? 0;
    expect(hazards[low * 3]).to.be.closeTo(sigmoid(-3.5), 0.012);
    const marginal = binnedHazards(fitBinnedHazard(rows, 3, null), rows);
    expect(new Set(marginal.filter((_, cell) => cell % 3 === 0)).size).to.equal(1);
    const firstWeek = rows.events.filter((event) => event === 0).length / rows.rows;
    expect(marginal[0]).to.be.closeTo(firstWeek, 1e-3);
  });

  it("gives rows with an unknown value a bin of their own", () => {
    const rows = hazardRows(5000, 2, 1);
    const table = fitBinnedHazard(rows, 2, "noise");
    const hazards = binnedHazards(table, rows);
    expect(hazards[0]).to.equal(hazards[7 * 2]);
  });

  it("recovers the gamma that rates were drawn from, and its closed form", () => {
    // Rates from gamma(2, 1/60 days); 200 days seen, four weeks ahead.
    const random = seededRandom(11);
    const exponential = (): number => -Math.log(1 - random.next());
    const count = 30_000;
    const features = new Float32Array(count * 2);
    const events = new Int16Array(count).fill(-1);
    for (let row = 0; row < count; row++) {
      const rate = (exponential() + exponential()) / 60;
      let purchases = 0;
      for (let day = exponential() / rate; day < 200; day += exponential() / rate) {
        purchases++;
      }
      features[row * 2] = purchases;
      features[row * 2 + 1] = 200;
      const wait = Math.floor(exponential() / rate / 7);
      events[row] = wait < 4 ? wait : -1;
    }
    const rows: Dataset = {
      featureNames: ["frequency", "tenure"],
      rows: count,
      features,
      cutoffs: new Float64Array(count),
      customers: new Int32Array(count),
      products: [],
      events,
      observed: new Int16Array(count).fill(4),
    };
    const model = fitPoissonGamma(rows, 4, 7, { frequency: "frequency", tenure: "tenure" });
    expect(model.shape).to.be.closeTo(2, 0.35);
    expect(model.scale).to.be.closeTo(60, 12);
    const hazards = poissonGammaHazards({ ...model, shape: 2, scale: 60 }, rows);
    const k = 2 + (features[0] ?? 0);
    const stranger = { ...rows, rows: 1, features: Float32Array.of(Number.NaN, Number.NaN) };
    const unknown = poissonGammaHazards({ ...model, shape: 2, scale: 60 }, stranger);
    expect(unknown[0]).to.be.closeTo(1 - (60 / 67) ** 2, 1e-12);
    expect(hazards[0]).to.be.closeTo(1 - (260 / 267) ** k, 1e-12);
    expect(hazards[3]).to.be.closeTo(1 - (281 / 288) ** k, 1e-12);
  });
});
