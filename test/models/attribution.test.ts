import { expect } from "chai";
import { effectsOf } from "../../src/models/attribution.ts";
import { calibrate } from "../../src/models/calibrate.ts";
import { distributionOf, logit, probabilityWithin } from "../../src/models/distribution.ts";
import { trainHazardNetwork } from "../../src/models/hazard-network.ts";
import { hazardsOf } from "../../src/models/predictor.ts";
import { scoreMatrix } from "../../src/models/preprocess.ts";
import { loadTensorBackend } from "../../src/models/tensor-backend.ts";
import { hazardRows } from "../support/rows.ts";

describe("models/attribution", () => {
  it("adds up to the answer, row by row, and gives what says nothing next to nothing", async () => {
    const backend = await loadTensorBackend();
    const rows = hazardRows(4000, 4, 2);
    const { network } = await trainHazardNetwork(backend, rows, 4, {
      hiddenUnits: [16],
      epochs: 10,
      batchSize: 256,
      learningRate: 0.01,
      weightDecay: 1,
      members: 1,
      seed: 3,
      hinges: 2,
    });
    const calibration = { intercept: 0.2, slope: 0.9, tilt: 0.3 };
    const scores = scoreMatrix(network.preprocessing, rows);
    const asked = { groups: ["signal", "noise"], reach: 2 };
    const { base, effects } = await effectsOf(backend, network, calibration, scores, asked);
    const hazards = await hazardsOf(backend, { kind: "network", network }, rows);
    const distribution = distributionOf(calibrate(hazards, 4, calibration), 4);
    const odds = probabilityWithin(distribution, 4, 0, 2).map(logit);
    let [signal, noise] = [0, 0];
    odds.forEach((value, row) => {
      const [one = 0, other = 0] = effects.subarray(2 * row, 2 * row + 2);
      expect(base + one + other).to.be.closeTo(value, 1e-5);
      signal += Math.abs(one);
      noise += Math.abs(other);
    });
    expect(noise).to.be.below(0.2 * signal);
    const unknown = { groups: ["sig"], reach: 2 };
    const refused = await effectsOf(backend, network, calibration, scores, unknown).catch(String);
    expect(refused).to.match(/noise/);
  }).timeout(60_000);
});
