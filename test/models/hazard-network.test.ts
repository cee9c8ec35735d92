import { expect } from "chai";
import { calibrate, fitCalibration, NO_CALIBRATION } from "../../src/models/calibrate.ts";
import { selectRows } from "../../src/models/dataset.ts";
import { distributionOf, logit, sigmoid } from "../../src/models/distribution.ts";
import { logitsOfAll, logitsOfOne } from "../../src/models/forward.ts";
import {
  defineNetwork,
  type HazardSettings,
  trainHazardNetwork,
} from "../../src/models/hazard-network.ts";
import {
  fitPreprocessing,
  inputsOf,
  inputWidth,
  scoreMatrix,
} from "../../src/models/preprocess.ts";
import { loadTensorBackend, type TensorBackend } from "../../src/models/tensor-backend.ts";
import { hazardRows } from "../support/rows.ts";

const SETTINGS: HazardSettings = {
  hiddenUnits: [16],
  epochs: 15,
  batchSize: 256,
  learningRate: 0.01,
  weightDecay: 0,
  members: 2,
  seed: 3,
};

describe("models/hazard-network", function () {
  this.timeout(60_000);
  let backend: TensorBackend;

  before(async () => {
    backend = await loadTensorBackend();
  });

  it("recovers known hazards from censored rows", async () => {
    const { network } = await trainHazardNetwork(backend, hazardRows(40_000, 3, 2), 3, {
      ...SETTINGS,
      hiddenUnits: [32],
      epochs: 12,
    });
    for (const signal of [-0.8, 0, 0.8]) {
      const logits = logitsOfOne(network, ["signal", "noise"], Float32Array.of(signal, 0.5));
      for (const value of logits) {
        expect(sigmoid(value), `at signal ${signal}`).to.be.closeTo(
          sigmoid(-2.5 + 2 * signal),
          0.035,
        );
      }
    }
  });

  it("weighs the first four intervals without bending any interval's hazard", async () => {
    const rows = hazardRows(40_000, 6, 1);
    const settings = { ...SETTINGS, hiddenUnits: [32], epochs: 8, members: 1 };
    const even = await trainHazardNetwork(backend, rows, 6, settings);
    const { network } = await trainHazardNetwork(backend, rows, 6, { ...settings, soonWeight: 4 });
    expect(network.members).to.not.deep.equal(even.network.members);
    for (const value of logitsOfOne(network, ["signal", "noise"], Float32Array.of(0, 0.5))) {
      expect(sigmoid(value)).to.be.closeTo(sigmoid(-2.5), 0.035);
    }
  });

  it("gives the same weights for the same seed and others for another", async () => {
    const rows = hazardRows(1000, 3, 1);
    const first = await trainHazardNetwork(backend, rows, 3, SETTINGS);
    const again = await trainHazardNetwork(backend, rows, 3, SETTINGS);
    const other = await trainHazardNetwork(backend, rows, 3, { ...SETTINGS, seed: 4 });
    expect(again.network).to.deep.equal(first.network);
    expect(other.network.members).to.not.deep.equal(first.network.members);
    expect(first.losses.at(-1)).to.be.below(first.losses[0] ?? 0);
  });

  for (const hinges of [0, 4]) {
    it(`says the same row by row without tensors, in batch, and through model.predict, with ${hinges} hinges`, async () => {
      const rows = hazardRows(700, 5, 1.5);
      const { network } = await trainHazardNetwork(backend, rows, 5, {
        ...SETTINGS,
        hiddenUnits: [12, 7],
        members: 1,
        hinges,
      });
      const all = await logitsOfAll(backend, network, rows);
      for (let row = 0; row < rows.rows; row += 13) {
        const one = logitsOfOne(
          network,
          rows.featureNames,
          rows.features.subarray(row * 2, row * 2 + 2),
        );
        one.forEach((value, k) => {
          expect(value).to.be.closeTo(all[row * 5 + k] ?? Number.NaN, 1e-5);
        });
      }
      const { tf } = backend;
      const model = defineNetwork(tf, inputWidth(network.preprocessing), 5, [12, 7], 1);
      const weights = (network.members[0] ?? []).flatMap((layer) => [
        tf.tensor2d(layer.kernel, [layer.inputs, layer.units]),
        tf.tensor1d(layer.bias),
      ]);
      model.setWeights(weights);
      const scores = scoreMatrix(network.preprocessing, rows);
      const inputs = tf.tensor2d(inputsOf(network.preprocessing, scores), [
        rows.rows,
        inputWidth(network.preprocessing),
      ]);
      const predicted = (model.predict(inputs) as typeof inputs).dataSync();
      predicted.forEach((value, index) => {
        expect(value).to.be.closeTo(all[index] ?? Number.NaN, 1e-5);
      });
    });
  }

  it("leaves no tensors behind", async () => {
    const rows = hazardRows(600, 2, 1);
    await trainHazardNetwork(backend, rows, 2, SETTINGS);
    const before = backend.tf.memory().numTensors;
    const { network } = await trainHazardNetwork(backend, rows, 2, SETTINGS);
    await logitsOfAll(backend, network, rows);
    expect(backend.tf.memory().numTensors).to.equal(before);
  });

  it("takes gradients on this backend that equal those of the plain one", async () => {
    const { tf } = backend;
    const gradient = async (name: string): Promise<number[]> => {
      await tf.setBackend(name);
      const x = tf.tensor2d(
        Array.from({ length: 60 }, (_, i) => Math.sin(i)),
        [12, 5],
      );
      const w = tf.tensor2d(
        Array.from({ length: 35 }, (_, i) => Math.cos(i)),
        [5, 7],
      );
      const grad = tf.grad((kernel) => tf.sum(tf.square(tf.matMul(x, kernel as typeof w))));
      return Array.from(grad(w).dataSync());
    };
    const used = backend.name;
    const here = await gradient(used);
    const plain = await gradient("cpu");
    await tf.setBackend(used);
    here.forEach((value, index) => {
      expect(value).to.be.closeTo(plain[index] ?? Number.NaN, 1e-3);
    });
  });

  it("maps features to scores that ignore units and flags the unknown", () => {
    const rows = hazardRows(2000, 2, 1);
    const scaled = { ...rows, features: rows.features.map((value) => value * 1000 + 5) };
    const [plain, other] = [rows, scaled].map((dataset) =>
      scoreMatrix(fitPreprocessing(dataset), dataset),
    );
    plain?.forEach((value, index) => {
      expect(value).to.be.closeTo(other?.[index] ?? Number.NaN, 2e-3);
    });
    const preprocessing = fitPreprocessing(rows);
    expect(preprocessing.flags).to.deep.equal([false, true]);
    expect(inputWidth(preprocessing)).to.equal(3);
    const first = scoreMatrix(
      preprocessing,
      selectRows(rows, (row) => row === 0),
    );
    expect([first[1], first[2]]).to.deep.equal([0, 1]);
    const bent = fitPreprocessing(rows, rows.featureNames, 3);
    expect(inputWidth(bent)).to.equal(3 + 2 * 3);
    const inputs = inputsOf(bent, Float32Array.of(1, -2, 0));
    expect(Array.from(inputs.subarray(0, 3))).to.deep.equal([1, -2, 0]);
    // Hinges at the normal quartiles -0.6745, 0 and 0.6745, times 0.7.
    [0.7 * 1.67449, 0.7, 0.7 * 0.32551, 0, 0, 0].forEach((value, index) => {
      expect(inputs[3 + index]).to.be.closeTo(value, 1e-5);
    });
  });

  it("learns the same level from a sample that is weighted back", async () => {
    const rows = hazardRows(20_000, 1, 0.5);
    const kept = selectRows(rows, (row) => (rows.events[row] ?? -1) >= 0 || row % 4 === 0);
    const weights = Float32Array.from(kept.events, (event) => (event >= 0 ? 1 : 4));
    const settings = { ...SETTINGS, members: 1, epochs: 5 };
    const mean = async (dataset: typeof rows): Promise<number> => {
      const { network } = await trainHazardNetwork(backend, dataset, 1, settings);
      const hazards = (await logitsOfAll(backend, network, rows)).map((z) => sigmoid(z));
      return hazards.reduce((sum, p) => sum + p, 0) / rows.rows;
    };
    const share = rows.events.filter((event) => event >= 0).length / rows.rows;
    expect(await mean({ ...kept, weights })).to.be.closeTo(share, 0.1 * share);
    expect(await mean(kept)).to.be.greaterThan(1.5 * share);
  });

  it("makes distributions that sum to one, and calibrates a wrong level and slope away", () => {
    const rows = hazardRows(20_000, 4, 2, 9);
    const truth = Float64Array.from({ length: rows.rows * 4 }, (_, cell) =>
      sigmoid(-2.5 + 2 * (rows.features[2 * Math.floor(cell / 4)] ?? 0)),
    );
    const wrong = truth.map((hazard) => sigmoid(0.5 * logit(hazard) + 1));
    const calibration = fitCalibration(wrong, rows, 4);
    expect(calibration.slope).to.be.closeTo(2, 0.15);
    expect(calibration.intercept).to.be.closeTo(-2, 0.15);
    expect(calibration.tilt).to.be.closeTo(0, 0.1);
    const tilted = truth.map((hazard, cell) => sigmoid(logit(hazard) + 0.5 - (cell % 4) / 3));
    expect(fitCalibration(tilted, rows, 4).tilt).to.be.closeTo(1, 0.1);
    expect(
      fitCalibration(
        wrong,
        selectRows(rows, (row) => row < 20),
        4,
      ),
    ).to.deep.equal(NO_CALIBRATION);
    // Hazards that separate the few rows there are, or say nothing at all, do not send it to infinity.
    const few = selectRows(rows, (row) => row < 400);
    const certain = Float64Array.from({ length: few.rows * 4 }, (_, cell) =>
      (few.events[Math.floor(cell / 4)] ?? -1) === cell % 4 ? 0.6 : 0.4,
    );
    expect(fitCalibration(certain, few, 4).slope).to.be.within(1, 60);
    expect(fitCalibration(new Float64Array(few.rows * 4).fill(0.5), few, 4).slope).to.be.closeTo(
      1,
      1e-6,
    );
    const distribution = distributionOf(calibrate(wrong, 4, calibration), 4);
    for (let row = 0; row < 100; row++) {
      const sum = distribution
        .subarray(row * 5, row * 5 + 5)
        .reduce((total, value) => total + value, 0);
      expect(sum).to.be.closeTo(1, 1e-12);
    }
  });
});
