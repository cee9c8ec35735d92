import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAY_MS } from "../src/base/index.ts";
import { loadTensorBackend } from "../src/models/index.ts";
import { type Figures, judgeNetwork } from "./intent/judge.ts";
import { PERIODS, readMerchandise } from "./intent/merchandise.ts";
import { crossValidate, readShoppers } from "./intent/shoppers.ts";
import { type BenchResult, circumstances, type Figure, figureOf, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = process.argv[4] ?? join(ROOT, ".venv", "bin", "python");
const SEEDS = [1, 2, 3];
const SHOWN = [
  "auc",
  "average_precision",
  "log_loss",
  "kept_20",
  "kept_30",
  "kept_40",
  "kept_50",
  "kept_60",
];

/**
 * Conversion intent beside XGBoost on the same feature rows: the Google Merchandise Store in visits (a purchase within a
 * day) and as a weekly pool (within a week), and UCI Online Shoppers as a table. `npm run bench -- intent FOLDER PYTHON`: the
 * folder holds `google_merch_ga4/` and `uci_online_shoppers/`, the Python has the packages of bench/peers/requirements.txt.
 */
export async function run(): Promise<void> {
  const data = process.argv[3] ?? join(ROOT, "..", "shared", "datasets");
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const runs = new Map<string, Figures[]>();
  const add = (system: string, figures: Figures): void => {
    console.error(`${system}: ${JSON.stringify(figures)}`);
    runs.set(system, [...(runs.get(system) ?? []), figures]);
  };
  const absent: string[] = [];
  try {
    const backend = await loadTensorBackend();
    const shop = await readMerchandise(join(data, "google_merch_ga4"), work);
    const of = (name: keyof typeof PERIODS): [number, number] => [
      Date.parse(PERIODS[name][0]),
      // A pool of the last midnight is judged, too.
      Date.parse(PERIODS[name][1]) + 1,
    ];
    if (existsSync(PYTHON)) {
      for (const [name, file, horizon] of [
        ["visits", shop.visitsFile, DAY_MS],
        ["pool", shop.poolFile, 7 * DAY_MS],
      ] as const) {
        const times = [
          ...of("train"),
          ...of("test"),
          of("validationTrain")[1],
          ...of("validation"),
        ];
        for (const line of xgboost(file, horizon, times)) {
          add(`${name}: xgboost`, line);
        }
      }
    } else {
      absent.push("xgboost");
    }
    for (const seed of SEEDS) {
      const { visits, pool } = await judgeNetwork(backend, shop, of("train"), of("test"), seed);
      add("visits: herkoop", visits);
      add("pool: herkoop", pool);
      for (const [name, hasValues] of [
        ["with PageValues", true],
        ["without PageValues", false],
      ] as const) {
        const file = join(data, "uci_online_shoppers", "online_shoppers_intention.csv");
        add(
          `shoppers ${name}: herkoop`,
          await crossValidate(backend, readShoppers(file, hasValues), seed),
        );
      }
    }
    writeResult(resultOf(runs, absent, backend.name));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function xgboost(file: string, horizonMs: number, times: readonly number[]): Figures[] {
  const script = join(ROOT, "bench", "peers", "xgboost_intent.py");
  const args = [script, file, String(horizonMs), ...times.map(String), String(SEEDS.length)];
  return execFileSync(PYTHON, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { figures: Figures }).figures);
}

function resultOf(
  runs: ReadonlyMap<string, readonly Figures[]>,
  absent: readonly string[],
  backend: string,
): BenchResult {
  const systems: Record<string, Record<string, Figure> | { absent: string }> = {};
  for (const [system, figures] of runs) {
    systems[system] = Object.fromEntries(
      SHOWN.filter((name) => name in (figures[0] ?? {})).map((name) => [
        name,
        figureOf(
          figures.map((one) => one[name] ?? Number.NaN),
          name === "log_loss" ? "nats" : "share",
        ),
      ]),
    );
  }
  for (const system of absent) {
    systems[system] = { absent: "not installed" };
  }
  const mean = (system: string, name: string): number => {
    const found = systems[system];
    return found !== undefined && name in found
      ? ((found as Record<string, Figure>)[name]?.mean ?? Number.NaN)
      : Number.NaN;
  };
  const goal = (text: string, met: boolean): { text: string; met: boolean } => ({ text, met });
  const ours = "visits: herkoop";
  const theirs = "visits: xgboost";
  const shoppers = "shoppers with PageValues: herkoop";
  return {
    ...circumstances("intent"),
    versions: { node: process.version, backend },
    systems,
    goals: [
      goal(
        "visits: AUC >= 0.720 and above XGBoost's",
        mean(ours, "auc") >= 0.72 && mean(ours, "auc") > mean(theirs, "auc"),
      ),
      goal(
        "visits: AP >= 0.605 and above XGBoost's",
        mean(ours, "average_precision") >= 0.605 &&
          mean(ours, "average_precision") > mean(theirs, "average_precision"),
      ),
      goal(
        "visits: log loss <= 0.585 and below XGBoost's",
        mean(ours, "log_loss") <= 0.585 && mean(ours, "log_loss") < mean(theirs, "log_loss"),
      ),
      goal("pool: conversions kept at 40% pruned >= 92%", mean("pool: herkoop", "kept_40") >= 0.92),
      goal("shoppers: AUC >= 0.940", mean(shoppers, "auc") >= 0.94),
      goal(
        "shoppers: kept at 40 / 50% pruned >= 99.8 / 99.0%",
        mean(shoppers, "kept_40") >= 0.998 && mean(shoppers, "kept_50") >= 0.99,
      ),
    ],
    notes: [
      "Visits: a row per user, instant and event that is no purchase; learned before 2020-12-25, judged 2021-01-01 to 2021-01-23. Pool: users seen in 30 days, judged at four Sundays.",
      "XGBoost reads the same feature rows; its settings are chosen on 2020-12-11 to 24 by log loss. Herkoop learns visits and pool in one network with three horizons, uncalibrated here.",
      "Shoppers: five-fold cross-validation through the model code alone.",
    ],
  };
}
