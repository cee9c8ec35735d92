import { expect } from "chai";
import { ServiceError, seededRandom } from "../../src/base/index.ts";
import { bootstrap } from "../../src/models/evaluate.ts";
import { cutPool, type PruningPoint, pruningCurve } from "../../src/models/pruning.ts";

describe("models/pruning", () => {
  const random = seededRandom(2);
  const rows = 4000;
  const probabilities = Float64Array.from({ length: rows }, () => random.next() ** 3);
  const outcomes = Uint8Array.from(probabilities, (p) => (random.next() < p ? 1 : 0));
  const customers = Int32Array.from({ length: rows }, (_, row) => row % 1000);

  it("falls from all to less, its interval around it", () => {
    const curve = pruningCurve(probabilities, outcomes, customers, 1);
    expect(curve).to.have.length(20);
    expect(curve[0]).to.include({ pruned: 0, kept: 1, low: 1, high: 1 });
    curve.slice(1).forEach((point, index) => {
      expect(point.kept).to.be.at.most(curve[index]?.kept ?? 0);
      expect(point.low).to.be.at.most(point.kept);
      expect(point.high).to.be.at.least(point.kept);
    });
    // A fifth of the rows by probability holds most of the conversions of a cubed uniform.
    expect(curve.find((point) => point.pruned === 0.5)?.kept).to.be.above(0.9);
  });

  it("covers the truth about as often as it says", () => {
    // 60 samples of 400 fair coins in clusters of two: the 95% interval should miss 0.5 rarely.
    let missed = 0;
    for (let sample = 0; sample < 60; sample++) {
      const coins = seededRandom(1000 + sample);
      const values = Float64Array.from({ length: 400 }, () => (coins.next() < 0.5 ? 1 : 0));
      const clusters = Int32Array.from({ length: 400 }, (_, row) => row >> 1);
      const { low, high } = bootstrap(clusters, sample, (weights) => {
        let sum = 0;
        let total = 0;
        weights.forEach((weight, row) => {
          sum += weight * (values[row] ?? 0);
          total += weight;
        });
        return sum / total;
      });
      missed += low > 0.5 || high < 0.5 ? 1 : 0;
    }
    expect(missed).to.be.within(0, 8);
  });

  it("admits doubt where none of a few conversions was lost", () => {
    const ranked = Float64Array.from({ length: 200 }, (_, row) => 1 - row / 200);
    const first = Uint8Array.from({ length: 200 }, (_, row) => (row < 10 ? 1 : 0));
    const point = pruningCurve(ranked, first, Int32Array.from(ranked.keys()), 1).find(
      (one) => one.pruned === 0.5,
    );
    expect(point?.kept).to.equal(1);
    // Clopper and Pearson's bound for 10 of 10, as R's binom.test gives it.
    expect(point?.low).to.be.closeTo(0.6915, 1e-4);
  });

  const curve: PruningPoint[] = [
    { pruned: 0, kept: 1, low: 1, high: 1 },
    { pruned: 0.2, kept: 0.98, low: 0.96, high: 1 },
    { pruned: 0.4, kept: 0.94, low: 0.9, high: 0.97 },
    { pruned: 0.6, kept: 0.8, low: 0.7, high: 0.9 },
  ];

  it("cuts as deep as the loss allows, by the expected share or its low end", () => {
    expect(cutPool(curve, 1000, { by: "loss", maximumLoss: 0.05, bound: "low" })).to.include({
      pruned: 0.2,
      members: 800,
    });
    expect(cutPool(curve, 1000, { by: "loss", maximumLoss: 0.06, bound: "expected" })).to.include({
      pruned: 0.4,
      members: 600,
    });
    expect(cutPool(curve, 1000, { by: "loss", maximumLoss: 0, bound: "low" })).to.include({
      pruned: 0,
      members: 1000,
    });
  });

  it("cuts to a number of members, linear between points", () => {
    const cut = cutPool(curve, 1000, { by: "members", maximumMembers: 700 });
    expect(cut.members).to.equal(700);
    expect(cut.pruned).to.be.closeTo(0.3, 1e-12);
    expect(cut.kept).to.be.closeTo(0.96, 1e-12);
    expect(cutPool(curve, 1000, { by: "members", maximumMembers: 5000 })).to.include({
      pruned: 0,
      members: 1000,
      kept: 1,
    });
    const deep = cutPool(curve, 1000, { by: "members", maximumMembers: 200 });
    expect(deep.kept).to.be.closeTo(0.4, 1e-12);
    expect(cutPool(curve, 0, { by: "members", maximumMembers: 5 }).members).to.equal(0);
    expect(() => cutPool([], 10, { by: "members", maximumMembers: 5 })).to.throw(
      ServiceError,
      /no pruning curve/,
    );
  });
});
