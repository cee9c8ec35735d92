import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import {
  createLogger,
  DAY_MS,
  literal,
  type Store,
  seededRandom,
  silentProgress,
  toIso,
} from "../../../src/base/index.ts";
import { loadArtifact } from "../../../src/models/artifact.ts";
import {
  backtestModel,
  findChampion,
  intentTask,
  type ModelTask,
  type TrainingContext,
  trainModel,
} from "../../../src/models/index.ts";
import { currentRun, scoreAll } from "../../../src/predictions/index.ts";
import { importLines, type ShopLine, shopClock, shopMapping } from "../../support/shop.ts";
import { withStore } from "../../support/temporary.ts";

const DAYS = 70;
const START = Date.UTC(2024, 2, 1);
const AS_OF = START + DAYS * DAY_MS;
const MINUTE = 60_000;

/** Visitors who buy within minutes where they look often and quickly, and hardly ever else. */
function visits(count: number): ShopLine[] {
  const random = seededRandom(5);
  const lines: ShopLine[] = [];
  for (let visit = 0; visit < count; visit++) {
    const visitor = `v${random.below(count / 2)}`;
    const at = START + Math.floor(random.next() * (DAYS - 1) * DAY_MS);
    const views = 1 + random.below(8);
    for (let view = 0; view < views; view++) {
      lines.push({ visitor, event: "view", product: `P${view}`, at: toIso(at + view * MINUTE) });
    }
    if (random.next() < (views > 5 ? 0.7 : 0.05)) {
      lines.push({ visitor, product: "P1", order: `o${visit}`, at: toIso(at + 12 * MINUTE) });
    }
  }
  return lines;
}

function small(): ModelTask {
  const task = intentTask({ hasVisits: true, testDays: 14 });
  const { visits } = task;
  if (visits === undefined) {
    throw new Error("a task of visits was asked for");
  }
  const settings = {
    ...visits.settings,
    bins: 6,
    hiddenUnits: [16],
    epochs: 4,
    batchSize: 128,
    members: 3,
  };
  return { ...task, visits: { ...visits, settings } };
}

async function withVisits(
  work: (store: Store, context: TrainingContext, folder: string) => Promise<void>,
): Promise<void> {
  await withStore(async (store, folder) => {
    await importLines(store, folder, visits(900), shopMapping({ knownAt: "occurredAt" }));
    await work(
      store,
      {
        store,
        modelsFolder: join(folder, "models"),
        clock: shopClock,
        logger: createLogger("silent"),
        progress: silentProgress,
        asOf: AS_OF,
      },
      folder,
    );
  });
}

describe("models/intent/train-intent", function () {
  this.timeout(240_000);

  it("learns whom the pace of a visit gives away, keeps the model, and scores the pool with it", async () => {
    await withVisits(async (store, context) => {
      const task = small();
      const { artifact, report } = await trainModel(context, task);
      const { network, marginal } = report.systems;
      expect(network?.metrics["auc"]).to.be.greaterThan(0.6);
      expect(network?.metrics["log_loss"]).to.be.lessThan(marginal?.metrics["log_loss"] ?? 0);
      expect(network?.metrics["calibration_error"]).to.be.lessThan(0.12);
      expect(report.visits?.horizonsHours).to.deep.equal([1, 24, 168]);
      expect(report.visits?.slices.map(({ by, name }) => `${by} ${name}`)).to.include.members([
        "visitor anonymous",
        "visitor buyer",
      ]);
      const loaded = loadArtifact(context.modelsFolder, "conversion-intent", artifact.id);
      // Loading reads all files but the card.
      expect({ ...loaded, files: [] }).to.deep.equal({ ...artifact, files: [] });
      expect(findChampion(store, "conversion-intent")?.id).to.equal(artifact.id);
      const scored = await scoreAll(context, task);
      expect(scored.rows).to.equal(currentRun(store, "conversion-intent")?.rows);
      expect(scored.rows).to.be.greaterThan(100);
    });
  });

  it("back-tests without seeing what came after the cutoff, and draws the figures", async () => {
    await withVisits(async (store, context, folder) => {
      const cutoff = START + 45 * DAY_MS;
      const file = join(folder, "intent.parquet");
      const predictions = async (): Promise<readonly unknown[]> => {
        const duckdb = await store.openDuckDb();
        try {
          return await duckdb.rows(
            `SELECT customer, cutoff, p_order FROM read_parquet(${literal(file)}) WHERE visiting AND cutoff < make_timestamp(${cutoff + DAY_MS} * 1000)`,
          );
        } finally {
          duckdb.close();
        }
      };
      await backtestModel(context, small(), { cutoff, file });
      const before = await predictions();
      expect(before.length).to.be.greaterThan(10);
      for (const name of ["pruning", "calibration"]) {
        const figure = join(folder, `intent-${name}.svg`);
        expect(existsSync(figure)).to.equal(true);
        expect(readFileSync(figure, "utf8")).to.match(/^<svg .*<\/svg>\n$/s);
      }
      // Orders of the test's days, on which everything would be known that must not be.
      const later = Array.from({ length: 200 }, (_, index): ShopLine => {
        const at = toIso(cutoff + DAY_MS + index * 60 * MINUTE);
        return { visitor: `v${index}`, product: "P1", order: `x${index}`, at };
      });
      await importLines(store, folder, later, shopMapping({ knownAt: "occurredAt" }), "later.csv");
      await backtestModel(context, small(), { cutoff, file });
      expect(await predictions()).to.deep.equal(before);
    });
  });
});
