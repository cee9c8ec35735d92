import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import {
  averagePrecision,
  brierScore,
  calibrationError,
  keptAfterPruning,
  logLoss,
  reliability,
  rocAuc,
} from "../../src/models/metrics.ts";
import { normalQuantile } from "../../src/models/preprocess.ts";

interface KnownValues {
  readonly cases: readonly {
    readonly probabilities: readonly number[];
    readonly outcomes: readonly number[];
    readonly roc_auc: number;
    readonly average_precision: number;
    readonly log_loss: number;
    readonly brier: number;
  }[];
  readonly normal_quantiles: readonly (readonly [number, number])[];
}

const known = JSON.parse(
  readFileSync(new URL("../known-values/metrics.json", import.meta.url), "utf8"),
) as KnownValues;

describe("models/metrics", () => {
  it("agrees with scikit-learn, ties and all", () => {
    for (const { probabilities, outcomes, ...expected } of known.cases) {
      expect(rocAuc(probabilities, outcomes)).to.be.closeTo(expected.roc_auc, 1e-12);
      expect(averagePrecision(probabilities, outcomes)).to.be.closeTo(
        expected.average_precision,
        1e-12,
      );
      expect(logLoss(probabilities, outcomes)).to.be.closeTo(expected.log_loss, 1e-12);
      expect(brierScore(probabilities, outcomes)).to.be.closeTo(expected.brier, 1e-12);
    }
  });

  it("agrees with SciPy's normal quantiles", () => {
    for (const [p, value] of known.normal_quantiles) {
      expect(normalQuantile(p)).to.be.closeTo(value, 2e-9 * Math.max(1, Math.abs(value)));
    }
  });

  it("is AUC 1 for a perfect order, 0 for its reverse, 0.5 for one tie, NaN for one class", () => {
    expect(rocAuc([0.1, 0.2, 0.8], [0, 0, 1])).to.equal(1);
    expect(rocAuc([0.8, 0.2, 0.1], [0, 0, 1])).to.equal(0);
    expect(rocAuc([0.3, 0.3, 0.3], [0, 1, 0])).to.equal(0.5);
    expect(rocAuc([0.1, 0.2], [0, 0])).to.be.NaN;
  });

  it("counts calibration error by hand", () => {
    const forecast = new Float64Array(300).fill(0.2);
    const outcomes = Uint8Array.from({ length: 300 }, (_, row) => (row % 10 < 3 ? 1 : 0));
    expect(calibrationError(forecast, outcomes)).to.be.closeTo(0.1, 1e-9);
    expect(reliability(forecast, outcomes).reduce((sum, bin) => sum + bin.count, 0)).to.equal(300);
  });

  it("keeps all conversions at nothing pruned, none at all pruned, and never more after pruning more", () => {
    expect(keptAfterPruning([0.9, 0.8, 0.2, 0.1], [1, 0, 1, 0], 0.5)).to.equal(0.5);
    expect(keptAfterPruning([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 0.4)).to.be.closeTo(0.6, 1e-12);
    const rows = fc.array(
      fc.record({ p: fc.integer({ min: 0, max: 9 }), y: fc.integer({ min: 0, max: 1 }) }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(
        rows,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (drawn, one, other) => {
          const p = drawn.map((row) => row.p / 10);
          const y = drawn.map((row) => row.y);
          fc.pre(y.includes(1));
          const [less, more] = [Math.min(one, other), Math.max(one, other)];
          expect(keptAfterPruning(p, y, 0)).to.be.closeTo(1, 1e-12);
          expect(keptAfterPruning(p, y, 1)).to.be.closeTo(0, 1e-12);
          expect(keptAfterPruning(p, y, more)).to.be.at.most(keptAfterPruning(p, y, less) + 1e-12);
        },
      ),
    );
  });
});
