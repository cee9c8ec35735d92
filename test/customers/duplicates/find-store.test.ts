import { expect } from "chai";
import { scoredPair } from "../../../src/customers/duplicates/explain.ts";
import { judge, search } from "../../support/duplicates.ts";
import { generatePeople } from "../../support/people.ts";

const people = generatePeople(11, 600);

describe("probable duplicates", function () {
  this.timeout(120_000);

  it("are found among households and namesakes, without labels", async () => {
    const { found, pairs } = await search(people);
    const { precision, recall, f1 } = judge(people, pairs);
    expect(f1, `precision ${precision}, recall ${recall}`).to.be.at.least(0.9);
    expect(found.records).to.equal(people.length);
    const truePairs = judge(people, pairs, -100).recall;
    expect(truePairs, "recall of the candidates").to.be.at.least(0.97);
  });

  it("have weights that add up, and a probability that follows from them", async () => {
    const { found, pairs } = await search(people);
    expect(pairs.length).to.be.above(300);
    for (const row of pairs) {
      const { explanation, matchWeight, probability } = scoredPair(row, found.parameters);
      const { prior, comparisons, household } = explanation;
      const sum = comparisons.reduce((total, one) => total + one.weight, prior + household);
      expect(sum).to.be.closeTo(matchWeight, 1e-9);
      expect(probability).to.be.closeTo(1 / (1 + 2 ** -matchWeight), 1e-12);
      expect(household).to.be.at.most(0);
      for (const one of comparisons.filter(({ level }) => level === "missing")) {
        expect(one.weight).to.equal(0);
      }
    }
  });

  it("are none of one record, and none of no record", async () => {
    for (const rows of [people.slice(0, 1), []]) {
      const { found, pairs } = await search(rows);
      expect(pairs).to.deep.equal([]);
      expect(found.records).to.equal(rows.length);
      expect(found.parameters.prior).to.be.within(0, 0.5);
    }
  });
});
