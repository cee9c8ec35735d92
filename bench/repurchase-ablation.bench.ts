import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAY_MS, toIso } from "../src/base/index.ts";
import { importFile, parseMapping } from "../src/collection/index.ts";
import { readConfig } from "../src/config.ts";
import { resolveCustomers, writeIdentity } from "../src/customers/index.ts";
import type { Dataset } from "../src/models/dataset.ts";
import { readDataset } from "../src/models/dataset-store.ts";
import { distributionOf } from "../src/models/distribution.ts";
import { measure } from "../src/models/evaluate.ts";
import { LABEL } from "../src/models/evaluation.ts";
import { type HazardSettings, trainHazardNetwork } from "../src/models/hazard-network.ts";
import { hazardsOf, loadTensorBackend, repurchaseTask } from "../src/models/index.ts";
import { prepareRows } from "../src/models/train.ts";
import { openService, type Service, trainingContext } from "../src/service.ts";
import { type BenchResult, circumstances, figureOf, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const MAXIMUM_ROWS = 150_000;
/** Validation cutoffs: the horizon of the later one is over when the reference test begins. */
const CUTOFFS = ["2011-04-30", "2011-06-25"].map((day) => Date.parse(day));
const FIGURES = ["nll", "auc_4w", "average_precision_4w", "weekly_auc"] as const;

type Figures = Readonly<Record<string, number>>;

interface Variant {
  readonly name: string;
  readonly settings?: Partial<HazardSettings>;
  /** Features that it does without. */
  readonly without?: RegExp;
  /** Learns only from cutoffs whose horizon is over. */
  readonly isComplete?: boolean;
}

const VARIANTS: readonly Variant[] = [
  { name: "all" },
  { name: "all, another seed", settings: { seed: 8 } },
  { name: "the first four weeks weigh as the later ones", settings: { soonWeight: 1 } },
  { name: "two layers instead of three", settings: { hiddenUnits: [128, 128] } },
  { name: "no hidden layer: logistic on the same inputs", settings: { hiddenUnits: [] } },
  { name: "no hinges: inputs bend nowhere before the first layer", settings: { hinges: 0 } },
  { name: "next to no weight decay", settings: { weightDecay: 0.01 } },
  { name: "only cutoffs whose horizon is over", isComplete: true },
  { name: "without the supply of the last quantity", without: /^pair_supply_overdue_ratio$/ },
  { name: "without the change of price", without: /^pair_price_change_ratio$/ },
  { name: "without what is counted in orders", without: /_orders$|^pair_.*orders/ },
  { name: "without what is bought again lately", without: /repurchase|repeated_pairs/ },
  { name: "without the pair's rhythm", without: /^pair_(gap|overdue|supply|product_overdue)/ },
  { name: "without the customer's features", without: /^customer_/ },
  { name: "without the product's features", without: /^product_|^pair_product_|^pair_price_/ },
];

/**
 * What each part of the repurchase network brings, on Online Retail: everything, and without one part at a time, each
 * learned before a validation cutoff and judged, uncalibrated, on the twelve weeks after it; never on the test.
 */
export async function run(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const service = await openService(readConfig({ store: join(work, "store") }), { quiet: true });
  const found = new Map<string, Figures[]>();
  try {
    await importShop(service);
    for (const cutoff of CUTOFFS) {
      await ablate(service, cutoff, (name, figures) => {
        console.error(`${toIso(cutoff).slice(0, 10)} ${name}: ${JSON.stringify(figures)}`);
        found.set(name, [...(found.get(name) ?? []), figures]);
      });
    }
  } finally {
    service.close();
    rmSync(work, { recursive: true, force: true });
  }
  writeResult(resultOf(found));
}

async function importShop({ store, clock }: Service): Promise<void> {
  const mapping = parseMapping(
    JSON.parse(readFileSync(join(ROOT, "data", "online_retail.mapping.json"), "utf8")),
  );
  const file = join(ROOT, "data", "online_retail_2009_2011.parquet");
  await importFile(store, clock, { file, mapping });
  await resolveCustomers(store, clock);
  await writeIdentity(store, clock);
}

async function ablate(
  service: Service,
  cutoff: number,
  tell: (name: string, figures: Figures) => void,
): Promise<void> {
  const task = repurchaseTask();
  const judgedAt = cutoff + task.intervals * task.intervalMs;
  const context = trainingContext(service, judgedAt);
  const { plan, rowsFile } = await prepareRows(context, task, { lastTest: cutoff, judgedAt });
  const backend = await loadTensorBackend();
  const duckdb = await service.store.openDuckDb({ memoryLimitMiB: 900 });
  try {
    const read = (
      label: number,
      cutoffs: readonly number[],
      maximumRows: number,
    ): Promise<Dataset> =>
      readDataset(duckdb, rowsFile, task.service.features, { label, cutoffs, maximumRows });
    const test = await read(LABEL.judged, plan.testCutoffs, Number.MAX_SAFE_INTEGER);
    const complete = plan.evaluation.training.filter(
      (one) => one + task.intervals * 7 * DAY_MS <= cutoff,
    );
    const all = await read(LABEL.evaluation, plan.evaluation.training, MAXIMUM_ROWS);
    const early = await read(LABEL.evaluation, complete, MAXIMUM_ROWS);
    for (const variant of VARIANTS) {
      const rows: Dataset = variant.isComplete === true ? early : all;
      const featureNames = task.service.features.filter(
        (name) => variant.without?.test(name) !== true,
      );
      const settings = { ...task.settings, featureNames, ...variant.settings };
      const { network } = await trainHazardNetwork(backend, rows, task.intervals, settings);
      const hazards = await hazardsOf(backend, { kind: "network", network }, test);
      const { metrics } = measure(task, test, distributionOf(hazards, task.intervals));
      tell(
        variant.name,
        Object.fromEntries(FIGURES.map((name) => [name, metrics[name] ?? Number.NaN])),
      );
    }
  } finally {
    duckdb.close();
  }
}

function resultOf(found: ReadonlyMap<string, readonly Figures[]>): BenchResult {
  return {
    ...circumstances("repurchase-ablation"),
    versions: { node: process.versions.node },
    systems: Object.fromEntries(
      [...found].map(([name, runs]) => [
        name,
        Object.fromEntries(
          FIGURES.map((figure) => [
            figure,
            figureOf(
              runs.map((one) => one[figure] ?? Number.NaN),
              figure === "nll" ? "nats" : "",
            ),
          ]),
        ),
      ]),
    ),
    goals: [],
    notes: [
      `Runs are the validation cutoffs ${CUTOFFS.map((one) => toIso(one).slice(0, 10)).join(" and ")}, each learned from ${MAXIMUM_ROWS} rows of what was known before it, uncalibrated; the brackets are the two cutoffs, which differ more than variants do. "all, another seed" tells what is noise.`,
    ],
  };
}
