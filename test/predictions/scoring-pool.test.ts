import { expect } from "chai";
import { saveArtifact } from "../../src/models/artifact.ts";
import { type Dataset, selectRows } from "../../src/models/dataset.ts";
import { trainHazardNetwork } from "../../src/models/hazard-network.ts";
import { loadTensorBackend } from "../../src/models/index.ts";
import type { Report } from "../../src/models/report.ts";
import { scoreRows } from "../../src/predictions/score-rows.ts";
import { scorePieces } from "../../src/predictions/scoring-pool.ts";
import { hazardRows } from "../support/rows.ts";
import { inFolder } from "../support/temporary.ts";
import { cardOf } from "../support/web.ts";

describe("predictions/scoring-pool", () => {
  it("says the same in threads as here, in the order of the pieces", async () => {
    await inFolder(async (folder) => {
      const backend = await loadTensorBackend();
      const rows = { ...hazardRows(3000, 3, 1), featureNames: ["pair_signal", "customer_noise"] };
      const { network } = await trainHazardNetwork(backend, rows, 3, {
        hiddenUnits: [8],
        epochs: 1,
        batchSize: 512,
        learningRate: 0.01,
        weightDecay: 0,
        members: 1,
        seed: 1,
        hinges: 2,
      });
      const artifact = saveArtifact(
        folder,
        {
          model: "repurchase-week",
          system: "network",
          service: { name: "repurchase_week", version: 1, features: rows.featureNames },
          intervals: 3,
          intervalMs: 1,
          spine: { entity: "pair", minimumPurchases: 2 },
          seed: 1,
          asOf: 0,
          dataThrough: 0,
          trainingRows: rows.rows,
          calibration: { intercept: 0.1, slope: 1.1, tilt: 0.2 },
          fitted: { kind: "network", network },
        },
        cardOf("repurchase-week", "network", []) as Report,
      );
      const pieces = Array.from({ length: 10 }, (_, piece) =>
        selectRows(rows, (row) => row % 10 === piece),
      );
      async function* each(): AsyncGenerator<Dataset> {
        yield* pieces;
        await Promise.resolve();
      }
      const thread = {
        modelsFolder: folder,
        model: "repurchase-week",
        versionId: artifact.id,
      } as const;
      let piece = 0;
      for await (const { rows: scoredRows, scored } of scorePieces(
        backend,
        thread,
        artifact,
        each(),
      )) {
        expect(scoredRows).to.equal(pieces[piece]);
        const here = await scoreRows(backend, artifact, scoredRows);
        expect(scored.distribution).to.deep.equal(here.distribution);
        expect(scored.effects).to.deep.equal(here.effects);
        expect(scored.base).to.equal(here.base);
        piece++;
      }
      expect(piece).to.equal(10);
    });
  }).timeout(120_000);
});
