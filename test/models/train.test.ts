import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import {
  createLogger,
  DAY_MS,
  literal,
  ServiceError,
  type SqlRow,
  type Store,
  silentProgress,
} from "../../src/base/index.ts";
import { defaultAsOf } from "../../src/collection/index.ts";
import { listBuilds } from "../../src/features/index.ts";
import { loadArtifact } from "../../src/models/artifact.ts";
import {
  backtestModel,
  describeBackend,
  findChampion,
  hazardsOf,
  intentTask,
  listVersions,
  loadTensorBackend,
  type ModelTask,
  readDataset,
  repurchaseTask,
  type TrainingContext,
  trainModel,
} from "../../src/models/index.ts";
import {
  currentRun,
  customerOutlook,
  eachPrediction,
  outlookOf,
  type ProductOutlook,
  predictionsOf,
  reasonsOf,
  scoreAll,
} from "../../src/predictions/index.ts";
import { importLines, rhythmicOrders, shopClock, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const SMALL = { epochs: 2, hiddenUnits: [16], batchSize: 128 };

function small(task: ModelTask): ModelTask {
  return { ...task, settings: { ...task.settings, ...SMALL } };
}

function contextOf(store: Store, folder: string): TrainingContext {
  return {
    store,
    modelsFolder: join(folder, "models"),
    clock: shopClock,
    logger: createLogger("silent"),
    progress: silentProgress,
    asOf: defaultAsOf(store, shopClock),
  };
}

async function read(store: Store, file: string): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  const rows = await duckdb.rows(
    `SELECT * FROM ${file.endsWith("csv") ? "read_csv" : "read_parquet"}(${literal(file)})`,
  );
  duckdb.close();
  return rows;
}

/** What was said, and what it says for after a silence. */
interface Answer extends ProductOutlook {
  readonly afterwards: number;
}

/**
 * Scores as of 28 days before the end of the data and a week later: where there was no order in between, the
 * later answers are what the earlier ones said they would be after a week's silence; reasons add up.
 */
async function answersBySilence(context: TrainingContext, task: ModelTask): Promise<void> {
  const { store, asOf } = context;
  const soonAt = async (instant: number, silentUntil = instant): Promise<Map<string, Answer>> => {
    await scoreAll({ ...context, asOf: instant }, task);
    const run = currentRun(store, task.model);
    if (run === undefined) {
      throw new Error("nothing was scored");
    }
    const customers = new Set([...eachPrediction(store, run.id)].map((one) => one.customerId));
    return new Map(
      [...customers].flatMap((customer) => {
        const silent = customerOutlook(store, run, customer, silentUntil);
        expect(silent.from).to.equal(silentUntil);
        return customerOutlook(store, run, customer).products.map((one, index) => [
          `${one.customerId} ${one.product}`,
          { ...one, afterwards: silent.products[index]?.withinFourWeeks ?? Number.NaN },
        ]);
      }),
    );
  };
  const soon = (probabilities: readonly number[]): number =>
    outlookOf(probabilities).withinFourWeeks;
  const before = await soonAt(asOf - 28 * DAY_MS, asOf - 21 * DAY_MS);
  const after = await soonAt(asOf - 21 * DAY_MS);
  let [expected, changed, error, silent] = [0, 0, 0, 0];
  for (const [key, { probabilities, facts }] of after) {
    const earlier = before.get(key);
    if (earlier?.facts["timesBought"] === facts["timesBought"] && earlier !== undefined) {
      const follows = earlier.afterwards;
      silent++;
      expected += follows;
      changed += Math.abs(follows - soon(earlier.probabilities));
      error += soon(probabilities) - follows;
    }
    if (typeof facts["typicalLogOdds"] === "number") {
      const told = reasonsOf(facts).reduce((sum, { effect }) => sum + (effect ?? 0), 0);
      const p = soon(probabilities);
      expect(1 / (1 + Math.exp(-facts["typicalLogOdds"] - told))).to.be.closeTo(p, 1e-4);
    }
  }
  expect(silent).to.be.above(20);
  expect(changed / silent).to.be.above(0.01);
  // On the whole stream what was forecast for after the silence is what is then answered.
  expect(Math.abs(error / silent)).to.be.below(0.35 * (expected / silent));
}

describe("models/train", function () {
  this.timeout(300_000);

  it("trains, keeps the winner, and loads it again to identical predictions", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(80, 450));
      const context = contextOf(store, folder);
      expect(new Date(context.asOf).toISOString()).to.match(/T00:00:00.000Z$/);
      const task = small(repurchaseTask({ horizonWeeks: 6 }));
      const { artifact, report } = await trainModel(context, task);
      expect(findChampion(store, "repurchase-week")?.id).to.equal(artifact.id);
      expect(Object.keys(report.systems)).to.deep.equal([
        "network",
        "marginal",
        "recency",
        "personal-gap",
        "product-gap",
        "aggregate-time",
        "poisson-gamma",
        "modified-poisson-gamma",
        "bg-nbd",
        "bg-cnbd-k",
        "logistic-hazard",
      ]);
      for (const [name, system] of Object.entries(report.systems)) {
        expect(system.metrics["nll"], name).to.be.within(0.1, 3);
        expect(system.perInterval, name).to.have.length(6);
      }
      // A shop of regular buyers: their own rhythm says more than the base rate.
      expect(report.systems["network"]?.metrics["auc_4w"]).to.be.above(0.6);

      const loaded = loadArtifact(context.modelsFolder, "repurchase-week", artifact.id);
      const backend = await loadTensorBackend();
      const duckdb = await store.openDuckDb();
      const rows = await readDataset(
        duckdb,
        join(store.path("temporary"), "repurchase-week.parquet"),
        task.service.features,
      );
      duckdb.close();
      expect(await hazardsOf(backend, loaded.fitted, rows)).to.deep.equal(
        await hazardsOf(backend, artifact.fitted, rows),
      );
      expect(loaded.calibration).to.deep.equal(artifact.calibration);
      const card = JSON.parse(
        readFileSync(
          join(context.modelsFolder, "repurchase-week", artifact.id, "card.json"),
          "utf8",
        ),
      ) as Record<string, unknown>;
      expect(card).to.include({
        id: artifact.id,
        seed: 7,
        backend: describeBackend(backend),
        champion: artifact.system,
      });

      await answersBySilence(context, task);

      const again = await trainModel(context, task);
      expect(again.artifact.id).to.equal(artifact.id);
      expect(again.report.systems["network"]?.metrics).to.deep.equal(
        report.systems["network"]?.metrics,
      );
      expect(listVersions(store)).to.have.length(1);
    });
  });

  it("lets the best baseline serve where the network is no better, and scores with it", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(60, 400));
      const context = contextOf(store, folder);
      // An untrained network: its learning rate is nothing.
      const task = small(intentTask({ poolDays: 120 }));
      const lame = { ...task, settings: { ...task.settings, learningRate: 1e-12, epochs: 1 } };
      const { artifact, report } = await trainModel(context, lame);
      expect(report.gate.isPassed).to.equal(false);
      expect(report.champion).to.equal(report.gate.bestBaseline);
      expect(artifact.system).to.not.equal("network");
      expect(report.pruning).to.have.length(20);
      const scored = await scoreAll({ ...context }, lame);
      expect(scored.modelVersion).to.equal(artifact.id);
      expect(listBuilds(store)).to.have.length(2);
      expect(listBuilds(store)[0]).to.include({
        purpose: "scoring",
        rows: scored.rows,
        spine: "active-within=120",
      });
      expect(listBuilds(store)[1]).to.include({ purpose: "training", service: lame.service.name });
      const run = currentRun(store, "conversion-intent");
      expect(run).to.include({ modelVersion: artifact.id, rows: scored.rows });
      const [prediction] = predictionsOf(store, run?.id ?? 0, 1);
      expect(prediction?.probabilities).to.have.length(2);
      expect(
        (prediction?.probabilities[0] ?? 0) + (prediction?.probabilities[1] ?? 0),
      ).to.be.closeTo(1, 1e-5);
      expect(prediction?.facts).to.have.keys([
        "orderDays",
        "daysSinceLastOrder",
        "meanGapDays",
        "monetary",
      ]);
    });
  });

  it("back-tests without seeing what was known at or after the cutoff", async () => {
    await withStore(async (store, folder) => {
      const lines = rhythmicOrders(60, 450);
      await importLines(store, folder, lines);
      const cutoff = Date.parse("2024-01-01");
      const task = small(repurchaseTask({ horizonWeeks: 4 }));
      const out = join(folder, "before.parquet");
      await backtestModel(contextOf(store, folder), task, { cutoff, file: out });
      const before = await read(store, out);
      // What becomes known from the cutoff on may change labels, never a prediction.
      const later = lines.slice(0, 200).map((line) => ({
        ...line,
        order: `${line.order ?? ""}-late`,
        known: "2024-01-01T00:00:00Z",
      }));
      await importLines(
        store,
        folder,
        [...later, { user: "u1", product: "P1", at: "2024-01-02T00:00:00Z" }],
        shopMapping(),
        "late.csv",
      );
      await backtestModel(contextOf(store, folder), task, { cutoff, file: out });
      const after = await read(store, out);
      const predictions = (rows: readonly SqlRow[]): unknown[] =>
        rows.map((row) => ({ ...row, label_week: null }));
      expect(predictions(after)).to.deep.equal(predictions(before));
      expect(Object.keys(before[0] ?? {})).to.deep.equal([
        "customer",
        "product",
        "cutoff",
        "p_week_1",
        "p_week_2",
        "p_week_3",
        "p_week_4",
        "p_later",
        "label_week",
      ]);
      const labels = new Set(before.map((row) => row["label_week"]));
      expect(
        [...labels].every((label) => typeof label === "number" && label >= 0 && label <= 4),
      ).to.equal(true);
      expect(labels.size).to.be.above(2);
      for (const row of before) {
        const sum = ["p_week_1", "p_week_2", "p_week_3", "p_week_4", "p_later"].reduce(
          (total, name) => total + Number(row[name]),
          0,
        );
        expect(sum).to.be.closeTo(1, 1e-9);
      }
    });
  });

  it("labels what really happened, and leaves labels open where the data end too soon", async () => {
    await withStore(async (store, folder) => {
      const lines = rhythmicOrders(60, 450);
      await importLines(store, folder, lines);
      const context = contextOf(store, folder);
      const cutoff = Date.parse("2024-02-01");
      const out = join(folder, "labels.csv");
      const { report } = await backtestModel(context, small(repurchaseTask({ horizonWeeks: 4 })), {
        cutoff,
        file: out,
        system: "recency",
      });
      for (const row of await read(store, out)) {
        const next = lines
          .filter((line) => line.user === row["customer"] && line.product === row["product"])
          .map((line) => Date.parse(line.at))
          .filter((at) => at >= cutoff && at < cutoff + 28 * DAY_MS);
        const week =
          next.length === 0 ? 0 : Math.floor((Math.min(...next) - cutoff) / (7 * DAY_MS)) + 1;
        expect(row["label_week"], `${String(row["customer"])} ${String(row["product"])}`).to.equal(
          week,
        );
      }
      expect(report.systems["recency"]?.metrics["nll"]).to.be.above(0);
      const open = await backtestModel(context, small(repurchaseTask({ horizonWeeks: 4 })), {
        cutoff: context.asOf - 7 * DAY_MS,
        file: out,
      });
      expect(open.report.systems["network"]?.metrics).to.deep.equal({});
      expect(new Set((await read(store, out)).map((row) => row["label_week"]))).to.deep.equal(
        new Set([null]),
      );
    });
  });

  it("lets a baseline serve where nothing was known in the past, and back-tests nothing", async () => {
    await withStore(async (store, folder) => {
      const unscored = await scoreAll(contextOf(store, folder), repurchaseTask()).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect((unscored as ServiceError).message).to.match(/no champion yet: run "herkoop train/);
      // Old orders that only became known now were not known at any cutoff of the past.
      await importLines(
        store,
        folder,
        rhythmicOrders(40, 450).map((line) => ({ ...line, known: "2024-06-01T00:00:00Z" })),
        shopMapping(),
        "now.csv",
      );
      const context = contextOf(store, folder);
      const { artifact, report } = await trainModel(context, repurchaseTask());
      expect(artifact.system).to.equal("poisson-gamma");
      expect(report.gate.missing?.join("\n")).to.match(/repeat purchases.*: had 0, needs 30/);
      const refused = await backtestModel(context, repurchaseTask(), {
        cutoff: context.asOf - 84 * DAY_MS,
        file: join(folder, "nothing.parquet"),
      }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).to.be.instanceOf(ServiceError);
      expect((refused as ServiceError).code).to.equal("not-ready");
      expect((refused as ServiceError).message).to.match(
        /too few: .* "occurredAt" suits a first load.*had 0, needs 30/,
      );
    });
  });
});
