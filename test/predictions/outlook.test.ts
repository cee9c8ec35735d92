import { expect } from "chai";
import fc from "fast-check";
import { afterSilence, outlookOf, reasonsOf } from "../../src/predictions/index.ts";

const distribution = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 13 })
  .filter((weights) => weights.reduce((sum, weight) => sum + weight, 0) > 0.01)
  .map((weights) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  });

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

describe("predictions/outlook", () => {
  it("tells four weeks, the expected week and the window by hand", () => {
    const outlook = outlookOf([0.02, 0.1, 0.2, 0.06, 0.02, 0.6]);
    expect(outlook.withinFourWeeks).to.be.closeTo(0.38, 1e-12);
    expect(outlook.laterOrNever).to.equal(0.6);
    expect(outlook.expectedWeek).to.be.closeTo((0.02 + 0.2 + 0.6 + 0.24 + 0.1) / 0.4, 1e-12);
    // 80% of 0.4 is 0.32: weeks 2 to 4 hold 0.36, weeks 1 to 3 as many weeks but only 0.32 too; the earlier.
    expect(outlook.window).to.deep.equal({ fromWeek: 1, toWeek: 3 });
    expect(outlookOf([0, 0, 1])).to.deep.equal({
      withinFourWeeks: 0,
      laterOrNever: 1,
      expectedWeek: null,
      window: null,
    });
  });

  it("holds 80% of what is within the horizon in the window, and no shorter run does", () => {
    fc.assert(
      fc.property(distribution, (probabilities) => {
        const weeks = probabilities.slice(0, -1);
        const { window, expectedWeek } = outlookOf(probabilities);
        if (window === null || expectedWeek === null) {
          expect(sumOf(weeks)).to.equal(0);
          return;
        }
        const { fromWeek, toWeek } = window;
        const mass = (from: number, to: number): number => sumOf(weeks.slice(from - 1, to));
        expect(mass(fromWeek, toWeek)).to.be.at.least(0.8 * sumOf(weeks) - 1e-9);
        expect(expectedWeek).to.be.within(1, weeks.length);
        const shorter = toWeek - fromWeek;
        for (let from = 1; shorter > 0 && from + shorter - 1 <= weeks.length; from++) {
          expect(mass(from, from + shorter - 1)).to.be.below(0.8 * sumOf(weeks) + 1e-9);
        }
      }),
    );
  });

  it("follows from today's by the hazard after silence, and in two steps as in one", () => {
    const today = [0.1, 0.2, 0.3, 0.4];
    // A week later: what was week 2 is week 1 of what is left.
    [0.2 / 0.9, 0.3 / 0.9, 0, 0.4 / 0.9].forEach((value, week) => {
      expect(afterSilence(today, 7)[week]).to.be.closeTo(value, 1e-12);
    });
    // A day later a seventh of the first week has passed.
    expect(afterSilence(today, 1)[0]).to.be.closeTo(
      (0.1 * (6 / 7) + 0.2 / 7) / (1 - 0.1 / 7),
      1e-12,
    );
    fc.assert(
      fc.property(distribution, fc.nat(8), fc.nat(60), (probabilities, weeks, days) => {
        const once = afterSilence(probabilities, 7 * weeks + days);
        const twice = afterSilence(afterSilence(probabilities, 7 * weeks), days);
        expect(sumOf(once)).to.be.closeTo(1, 1e-9);
        once.forEach((value, week) => {
          expect(value).to.be.within(0, 1 + 1e-12);
          // What later weeks of the first step may hold is not known to it.
          if (probabilities.at(-1) !== 0) {
            expect(twice[week]).to.be.closeTo(value, 1e-6);
          }
        });
        expect(afterSilence(probabilities, 0)[0]).to.be.closeTo(probabilities[0] ?? 0, 1e-12);
      }),
    );
  });

  it("says reasons as a person would, the strongest first", () => {
    const facts = {
      daysSinceLastBought: 29.2,
      meanGapDays: 31.4,
      gapSpreadDays: 3.9,
      daysSinceLastOrder: 1,
      meanOrderGapDays: null,
      productRepeatShare: 0.42,
      productMeanGapDays: 60,
      effectOfPair: 0.9,
      effectOfCustomer: -1.4,
      effectOfProduct: 0.1,
    };
    expect(reasonsOf(facts)).to.deep.equal([
      { about: "customer", text: "ordered once, 1 day ago", effect: -1.4 },
      { about: "rhythm", text: "every 31 ± 4 days, last bought 29 days ago", effect: 0.9 },
      {
        about: "product",
        text: "42% of its customers buy it again, after 60 days on average",
        effect: 0.1,
      },
    ]);
    expect(reasonsOf({ daysSinceLastBought: 3, meanGapDays: null })).to.deep.equal([
      { about: "rhythm", text: "bought once, 3 days ago", effect: null },
    ]);
    expect(reasonsOf({})).to.deep.equal([]);
  });
});
