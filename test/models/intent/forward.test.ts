import { expect } from "chai";
import { seededRandom } from "../../../src/base/index.ts";
import { readLayers } from "../../../src/models/hazard-network.ts";
import { loadTensorBackend } from "../../../src/models/index.ts";
import { attribute } from "../../../src/models/intent/attribution.ts";
import { prepareForward } from "../../../src/models/intent/forward.ts";
import {
  columnsOf,
  fitInputs,
  inputWidth,
  writeInputs,
} from "../../../src/models/intent/inputs.ts";
import { type IntentModel, prepareScorer } from "../../../src/models/intent/intent-model.ts";
import { defineIntentNetwork, type IntentNetwork } from "../../../src/models/intent/network.ts";

const NAMES = ["pace", "carts", "tenure", "rare", "constant"];
const ROWS = 300;

/** Rows with heavy tails, ties, and unknowns in one column. */
function rowsOf(seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: ROWS * NAMES.length }, (_, index) => {
    switch (index % NAMES.length) {
      case 0:
        return Math.exp(3 * random.next());
      case 1:
        return random.below(4);
      case 2:
        return random.next() < 0.3 ? Number.NaN : random.next();
      case 3:
        return random.next() < 0.7 ? Number.NaN : random.below(9);
      default:
        return 7;
    }
  });
}

async function networkOf(
  hiddenUnits: readonly number[],
): Promise<{ network: IntentNetwork; predict: (rows: Float32Array) => Float32Array }> {
  const { tf } = await loadTensorBackend();
  const inputs = fitInputs({ featureNames: NAMES, rows: ROWS, features: rowsOf(1) }, 5);
  const models = [1, 2, 3].map((seed) =>
    defineIntentNetwork(tf, inputWidth(inputs), [0.2, 0.05], hiddenUnits, seed),
  );
  const network = { inputs, intervals: 2, members: models.map(readLayers) };
  const columns = columnsOf(inputs, NAMES);
  return {
    network,
    predict: (features) => {
      const rows = features.length / NAMES.length;
      const x = new Float32Array(rows * inputWidth(inputs));
      for (let row = 0; row < rows; row++) {
        writeInputs(inputs, columns, features, row * NAMES.length, x, row * inputWidth(inputs));
      }
      return tf.tidy(() => {
        const batch = tf.tensor2d(x, [rows, inputWidth(inputs)]);
        const all = models.map((model) => model.predict(batch) as ReturnType<typeof tf.tensor2d>);
        return Float32Array.from(tf.div(tf.addN(all), models.length).dataSync());
      });
    },
  };
}

describe("models/intent/forward", () => {
  for (const hidden of [[64, 32], [70, 37, 5], [8], []]) {
    it(`is model.predict to 1e-5, for one row and for many, with hidden units ${hidden.join("-") || "none"}`, async () => {
      const { network, predict } = await networkOf(hidden);
      const rows = rowsOf(2);
      // Beyond what training saw, on both sides, and unknown where training knew all.
      rows.set([1e9, -5, 99, 50, 0, -1e9, 77, -3, Number.NaN, 8]);
      rows.set([Infinity, -Infinity, 3e38, -3e38, Number.NaN, Number.NaN, Number.NaN], 10);
      const expected = predict(rows);
      const forward = prepareForward(network, NAMES);
      const many = forward.logitsOf(rows);
      for (let row = 0; row < ROWS; row++) {
        const one = forward.logitsOf(rows.subarray(row * NAMES.length, (row + 1) * NAMES.length));
        for (let k = 0; k < 2; k++) {
          expect(one[k]).to.be.closeTo(expected[2 * row + k] ?? Number.NaN, 1e-5);
          expect(many[2 * row + k]).to.be.closeTo(expected[2 * row + k] ?? Number.NaN, 1e-5);
        }
      }
      expect(new Set(expected).size).to.be.greaterThan(ROWS);
    });
  }

  it("reads features by name, wherever they stand", async () => {
    const { network } = await networkOf([8]);
    const turned = [...NAMES].reverse();
    const rows = rowsOf(3);
    const here = prepareForward(network, NAMES);
    const there = prepareForward(network, turned);
    const row = rows.subarray(0, NAMES.length);
    expect([...there.logitsOf(Float32Array.from(row).reverse())]).to.deep.equal([
      ...here.logitsOf(row),
    ]);
    expect(() => prepareForward(network, ["pace", "carts"])).to.throw(/tenure/);
  });
});

describe("models/intent/inputs", () => {
  it("tells a frequent value from its neighbours, and lays the other edges at quantiles of the rest", () => {
    // 70 zeros, 10 sevens, and 20 numbers from 1 to 20 of which one is a seven.
    const values = [
      ...new Array<number>(70).fill(0),
      ...new Array<number>(10).fill(7),
      ...Array.from({ length: 20 }, (_, index) => index + 1),
    ];
    const fitted = fitInputs(
      { featureNames: ["count"], rows: 100, features: Float32Array.from(values) },
      10,
    );
    // round(10 × sqrt(0.19)) = 4 spans over what is neither 0 nor 7.
    expect(fitted.edges).to.deep.equal([[0, 1, 6, 7, 8, 11, 16, 20]]);
    const inputsOf = (value: number): number[] => {
      const target = new Float32Array(inputWidth(fitted));
      writeInputs(fitted, Int32Array.of(0), Float32Array.of(value), 0, target, 0);
      return [...target];
    };
    expect(inputsOf(0)).to.deep.equal([0, 0, 0, 0, 0, 0, 0]);
    expect(inputsOf(1)).to.deep.equal([1, 0, 0, 0, 0, 0, 0]);
    expect(inputsOf(7)).to.deep.equal([1, 1, 1, 0, 0, 0, 0]);
  });

  it("leaves out what never varies or was never known, and keeps what is one of two values", () => {
    const names = ["constant", "unknown", "flag"];
    const features = Float32Array.from({ length: 30 }, (_, index) =>
      index % 3 === 0 ? 5 : index % 3 === 1 ? Number.NaN : Number(index > 20),
    );
    const fitted = fitInputs({ featureNames: names, rows: 10, features }, 12);
    expect(fitted.featureNames).to.deep.equal(["flag"]);
    expect(fitted.edges).to.deep.equal([[0, 1]]);
  });
});

describe("models/intent/attribution", () => {
  it("adds up to the log odds that are served, and gives nothing to what is typical", async () => {
    const { network } = await networkOf([16, 8]);
    const model: IntentModel = {
      horizonsMs: [1, 2],
      mainHorizon: 1,
      system: { kind: "network", network },
      calibration: [
        { intercept: -0.3, slope: 0.8 },
        { intercept: 0.2, slope: 1.1 },
      ],
      quantiles: [],
    };
    const scorer = prepareScorer(model, NAMES);
    const forward = scorer.forward ?? expect.fail("a network has a forward pass");
    const rows = rowsOf(4);
    let spread = 0;
    for (let row = 0; row < 40; row++) {
      const features = rows.slice(row * NAMES.length, (row + 1) * NAMES.length);
      const found = attribute(model, network, forward, NAMES, features);
      const p = scorer.probabilitiesOf(features)[1] ?? Number.NaN;
      expect(found.logOdds).to.be.closeTo(Math.log(p / (1 - p)), 1e-9);
      const sum = found.contributions.reduce((total, one) => total + one, 0);
      expect(found.base + sum).to.be.closeTo(found.logOdds, 0.02);
      spread = Math.max(spread, Math.abs(found.logOdds - found.base));
    }
    // Otherwise the bound above would say nothing.
    expect(spread).to.be.greaterThan(0.2);
    const typical = Float32Array.from(NAMES, (name) => {
      const at = network.inputs.featureNames.indexOf(name);
      return at < 0 ? 7 : (network.inputs.typical[at] ?? Number.NaN);
    });
    const none = attribute(model, network, forward, NAMES, typical);
    expect([...none.contributions].every((one) => Math.abs(one) < 1e-6)).to.equal(true);
  });

  it("is exact where the log odds are linear in the inputs", async () => {
    const { network } = await networkOf([]);
    const model: IntentModel = {
      horizonsMs: [1, 2],
      mainHorizon: 0,
      system: { kind: "network", network },
      calibration: [],
      quantiles: [],
    };
    const scorer = prepareScorer(model, NAMES);
    const forward = scorer.forward ?? expect.fail("a network has a forward pass");
    const found = attribute(model, network, forward, NAMES, rowsOf(5).slice(0, NAMES.length));
    expect(Math.abs(found.remainder)).to.be.lessThan(1e-5);
  });
});
