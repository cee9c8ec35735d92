import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { intentService } from "../src/features/index.ts";
import { loadTensorBackend } from "../src/models/index.ts";
import { figuresOf, type IntentSettings, visitTask } from "../src/models/intent/index.ts";
import { differenceOf } from "./intent/compare.ts";
import { type Figures, systemsOf } from "./intent/figures.ts";
import { type Judged, judgeNetwork } from "./intent/judge.ts";
import { PERIODS, readMerchandise } from "./intent/merchandise.ts";
import { circumstances, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const SEED = 7;
const SHOWN = ["auc", "average_precision", "log_loss", "calibration_error"];

interface Part {
  readonly name: string;
  readonly settings?: Partial<IntentSettings>;
  /** Features that it does without. */
  readonly without?: RegExp;
  readonly isEven?: boolean;
}

const PARTS: readonly Part[] = [
  { name: "all" },
  { name: "all, another seed", settings: { seed: 8 } },
  { name: "one member instead of six", settings: { members: 1 } },
  { name: "three hidden layers, 128, 128 and 64", settings: { hiddenUnits: [128, 128, 64] } },
  { name: "no hidden layer: logistic on the same inputs", settings: { hiddenUnits: [] } },
  { name: "one span per feature: inputs are straight lines", settings: { bins: 1 } },
  { name: "twelve spans per feature", settings: { bins: 12 } },
  { name: "next to no weight decay", settings: { weightDecay: 0.01 } },
  { name: "twice the weight decay", settings: { weightDecay: 3 } },
  { name: "twice the epochs", settings: { epochs: 12 } },
  { name: "all rows weigh the same", isEven: true },
  { name: "without the pace of the visit", without: /moment/ },
  { name: "without prices and amounts looked at", without: /^moment_(value|price)/ },
  { name: "without this session", without: /^this_session_/ },
  { name: "without carts and checkouts", without: /cart|checkout/ },
  { name: "without orders and returns", without: /^customer_/ },
  { name: "without browsing before the last day", without: /_(7d|30d|90d)$/ },
];

/**
 * What each part of the intent network brings, on the Google Merchandise Store: everything, and without one part at a
 * time, learned before the validation days and judged, uncalibrated, in their visits; never on the test.
 * `npm run bench -- intent-ablation FOLDER`: the folder holds `google_merch_ga4/`.
 */
export async function run(): Promise<void> {
  const data = process.argv[3] ?? join(ROOT, "..", "shared", "datasets");
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const found = new Map<string, Judged>();
  const backend = await loadTensorBackend();
  try {
    const shop = await readMerchandise(join(data, "google_merch_ga4"), work);
    for (const { name, without, settings, isEven } of PARTS) {
      const featureNames = intentService.features.filter((one) => without?.test(one) !== true);
      const variant = {
        settings: { featureNames, ...settings },
        ...(isEven === undefined ? {} : { isEven }),
      };
      const seed = settings?.seed ?? SEED;
      const [train, test] = [periodOf("validationTrain"), periodOf("validation")];
      const { visits } = await judgeNetwork(backend, shop, train, test, seed, variant);
      found.set(name, visits);
      console.error(`${name}: ${JSON.stringify(figuresOf(visits))}`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const runs = new Map<string, Figures[]>(
    [...found].map(([name, judged]) => [name, [figuresOf(judged)]]),
  );
  writeResult({
    ...circumstances("intent-ablation"),
    versions: { node: process.versions.node, backend: backend.name },
    systems: systemsOf(runs, SHOWN, []),
    goals: [],
    notes: [
      `Visits from ${PERIODS.validation.join(" to ")}, learned before ${PERIODS.validationTrain[1]}; one seed, ${visitTask().settings.members} members unless said. "all, another seed" tells what is noise.`,
      `Average precision less that of "all", with 95% intervals over users: ${lossesOf(found)}.`,
    ],
  });
}

function lossesOf(found: ReadonlyMap<string, Judged>): string {
  const all = found.get("all");
  return [...found]
    .flatMap(([name, judged]) => {
      if (all === undefined || judged === all) {
        return [];
      }
      const { mean, low, high } = differenceOf("average_precision", judged, all);
      return [`${name} ${mean.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`];
    })
    .join("; ");
}

function periodOf(name: "validationTrain" | "validation"): [number, number] {
  return [Date.parse(PERIODS[name][0]), Date.parse(PERIODS[name][1])];
}
