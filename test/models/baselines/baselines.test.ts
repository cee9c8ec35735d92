import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { seededRandom } from "../../../src/base/index.ts";
import {
  aggregateTimeHazards,
  fitAggregateTime,
  upperNormal,
} from "../../../src/models/baselines/aggregate-time.ts";
import { binnedHazards, fitBinnedHazard } from "../../../src/models/baselines/binned-hazard.ts";
import {
  aliveShare,
  type BuyingHistory,
  buyTillYouDieHazards,
  fitBuyTillYouDie,
  fitBuyTillYouDieHazard,
  silenceOf,
} from "../../../src/models/baselines/buy-till-you-die.ts";
import {
  fitPoissonGamma,
  poissonGammaHazards,
} from "../../../src/models/baselines/poisson-gamma.ts";
import type { Dataset } from "../../../src/models/dataset.ts";
import { distributionOf, sigmoid } from "../../../src/models/distribution.ts";
import { rowLosses } from "../../../src/models/evaluate.ts";
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

  it("fits BG/NBD to the values published for CDNOW", function () {
    if (!existsSync(CDNOW)) {
      this.skip(); // The data have no licence to ship with: put CDNOW_sample.txt where CDNOW points to.
    }
    const fit = fitBuyTillYouDie(cdnowHistories(readFileSync(CDNOW, "utf8")));
    // Fader, Hardie and Lee (2005), table 2.
    expect(fit.r).to.be.closeTo(0.243, 1e-3);
    expect(fit.alpha).to.be.closeTo(4.414, 5e-3);
    expect(fit.a).to.be.closeTo(0.793, 2e-3);
    expect(fit.b).to.be.closeTo(2.426, 1e-2);
    expect(fit.logLikelihood).to.be.closeTo(-9582.4, 0.05);
  }).timeout(20_000);

  it("falls from certainty to the share that stopped, faster the more regular and overdue", () => {
    const model = { r: 1.2, alpha: 9, a: 0.8, b: 2.5, regularity: 1 };
    const history = { repeats: 5, last: 40, until: 44 };
    expect(silenceOf(model, history, 0)).to.be.closeTo(1, 1e-12);
    expect(silenceOf(model, history, 1e9)).to.be.closeTo(1 - aliveShare(model, history), 1e-5);
    // BG/NBD's closed form of being alive (Fader, Hardie and Lee 2005).
    const odds = (0.8 / (2.5 + 4)) * ((9 + 44) / (9 + 40)) ** 6.2;
    expect(aliveShare(model, history)).to.be.closeTo(1 / (1 + odds), 1e-12);
    const regular = { ...model, r: 1.2, alpha: 3, regularity: 3 };
    const long = { ...history, until: 80 };
    expect(aliveShare(regular, long)).to.be.below(aliveShare(model, long));
    expect(aliveShare(model, { repeats: 0, last: 0, until: 90 })).to.equal(1);
  });

  it("recovers regular timing from what buyers do next", () => {
    const random = seededRandom(5);
    const exponential = (): number => -Math.log(1 - random.next());
    const count = 4000;
    const features = new Float32Array(count * 3);
    const events = new Int16Array(count).fill(-1);
    for (let row = 0; row < count; row++) {
      const rate = (exponential() + exponential()) / 20;
      const gap = (): number => (exponential() + exponential() + exponential()) / (3 * rate);
      let [day, purchases, last] = [0, 1, 0];
      for (day = gap(); day < 200; day += gap()) {
        purchases++;
        last = day;
      }
      features.set([purchases, 200 - last, 200], row * 3);
      events[row] = day < 228 ? Math.floor((day - 200) / 7) : -1;
    }
    const rows: Dataset = {
      featureNames: ["frequency", "recency", "tenure"],
      rows: count,
      features,
      cutoffs: new Float64Array(count),
      customers: new Int32Array(count),
      products: [],
      events,
      observed: new Int16Array(count).fill(4),
    };
    const told = { frequency: "frequency", recency: "recency", tenure: "tenure" };
    const loss = (isRegular: boolean): number => {
      const fitted = fitBuyTillYouDieHazard(rows, 4, 7, told, isRegular);
      expect(fitted.model.regularity).to.equal(isRegular ? 3 : 1);
      const distribution = distributionOf(buyTillYouDieHazards(fitted, rows), 4);
      return rowLosses(rows, distribution, 4).reduce((sum, one) => sum + one, 0);
    };
    expect(loss(true)).to.be.below(loss(false));
  }).timeout(60_000);

  it("peaks when the mean gap is over, in the modified Poisson-gamma and the aggregate time model", () => {
    const silent = (recency: number): Dataset => ({
      featureNames: ["frequency", "tenure", "recency", "gap", "spread"],
      rows: 1,
      features: Float32Array.of(5, 120 + recency, recency, 30, 6),
      cutoffs: new Float64Array(1),
      customers: new Int32Array(1),
      products: [],
      events: Int16Array.of(-1),
      observed: Int16Array.of(0),
    });
    const modified = {
      frequencyFeature: "frequency",
      tenureFeature: "tenure",
      rhythm: { recencyFeature: "recency", gapFeature: "gap" },
      intervals: 1,
      intervalDays: 7,
      shape: 2,
      scale: 60,
    };
    const hazard = (recency: number): number =>
      poissonGammaHazards(modified, silent(recency))[0] ?? 0;
    // Bought last 30 days ago with a mean gap of 30: 120 days of purchases count, no silence.
    expect(hazard(30)).to.be.closeTo(1 - (180 / 187) ** 7, 1e-12);
    expect(hazard(10)).to.be.closeTo(1 - (220 / 227) ** 7, 1e-12);
    expect(hazard(70)).to.be.closeTo(1 - (250 / 257) ** 7, 1e-12);
    const time = fitAggregateTime(silent(0), 1, 7, {
      recencyFeature: "recency",
      meanFeature: "gap",
      spreadFeature: "spread",
    });
    const gaps = (recency: number): number => aggregateTimeHazards(time, silent(recency))[0] ?? 0;
    expect(gaps(3)).to.be.below(1e-6);
    expect(gaps(30)).to.be.within(0.5, 0.9);
    expect(upperNormal(1.959964)).to.be.closeTo(0.025, 1e-7);
    expect(upperNormal(-1)).to.be.closeTo(0.841345, 1e-6);
  });
});

const CDNOW = join(import.meta.dirname, "../../../../shared/datasets/cdnow/CDNOW_sample.txt");

/** Histories in weeks until 1997-09-30, the calibration period of the published fit. */
function cdnowHistories(text: string): BuyingHistory[] {
  const days = new Map<string, Set<number>>();
  const dayOf = (date: string): number =>
    Date.parse(`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T00:00:00Z`) / 86_400_000;
  const end = dayOf("19970930");
  for (const line of text.trim().split("\n")) {
    const [, customer = "", date = ""] = line.trim().split(/\s+/);
    if (dayOf(date) <= end) {
      days.set(customer, (days.get(customer) ?? new Set()).add(dayOf(date)));
    }
  }
  return [...days.values()].map((bought) => {
    const [first, last] = [Math.min(...bought), Math.max(...bought)];
    return { repeats: bought.size - 1, last: (last - first) / 7, until: (end - first) / 7 };
  });
}
