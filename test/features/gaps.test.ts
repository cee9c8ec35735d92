import { expect } from "chai";
import fc from "fast-check";
import { Gaps } from "../../src/features/gap-values.ts";

const STATISTICS = ["mean", "std", "median", "last", "max"] as const;

function statisticsOf(gaps: Gaps): (number | null)[] {
  return STATISTICS.map((statistic) => gaps.statistic(statistic));
}

describe("features/gaps", () => {
  it("are those of numbers in order, by hand", () => {
    const gaps = new Gaps([10, 1, 4, 20]);

    expect(STATISTICS.map((statistic) => [statistic, gaps.statistic(statistic)])).to.deep.equal([
      ["mean", 19 / 3],
      ["std", Math.sqrt(37 / 3)],
      ["median", 6],
      ["last", 10],
      ["max", 10],
    ]);
    expect(statisticsOf(new Gaps([5]))).to.deep.equal([null, null, null, null, null]);
    expect(new Gaps([5, 7]).statistic("std")).to.equal(null);
  });

  it("that grow are those of all numbers at once", () => {
    const steps = fc.array(
      fc.record({ by: fc.nat(1e10), moves: fc.boolean(), asks: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(fc.nat(1e12)), steps, (start, more) => {
        const values = [...start].sort((a, b) => a - b);
        const gaps = new Gaps(start);
        for (const { by, moves, asks } of more) {
          const value = (values.at(-1) ?? 0) + by;
          if (moves && values.length > 0) {
            values.pop();
            expect(gaps.moveLast(value)).to.equal(true);
          } else {
            expect(gaps.append(value)).to.equal(true);
          }
          values.push(value);
          if (asks) {
            expect(statisticsOf(gaps)).to.deep.equal(statisticsOf(new Gaps(values)));
          }
        }
        expect(statisticsOf(gaps)).to.deep.equal(statisticsOf(new Gaps(values)));
      }),
    );
  });

  it("do not take a number before the greatest", () => {
    const gaps = new Gaps([1, 5]);

    expect(gaps.append(4)).to.equal(false);
    expect(gaps.moveLast(4)).to.equal(false);
    expect(gaps.statistic("last")).to.equal(4);
  });
});
