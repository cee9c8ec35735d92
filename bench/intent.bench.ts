import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAY_MS } from "../src/base/index.ts";
import { loadTensorBackend } from "../src/models/index.ts";
import { figuresOf } from "../src/models/intent/index.ts";
import { differenceOf, intervalOf } from "./intent/compare.ts";
import { type Figures, isBetter, linesOfPeer, meanOf, systemsOf } from "./intent/figures.ts";
import { type Judged, judgeNetwork } from "./intent/judge.ts";
import { type Merchandise, PERIODS, readMerchandise } from "./intent/merchandise.ts";
import { circumstances, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = process.argv[4] ?? join(ROOT, ".venv", "bin", "python");
const SEEDS = [1, 2, 3];
const SHOWN = [
  "auc",
  "average_precision",
  "log_loss",
  "calibration_error",
  "kept_20",
  "kept_30",
  "kept_40",
  "kept_50",
  "kept_60",
];
const PARTS = ["visits", "pool"] as const;
const JUDGED = ["auc", "average_precision", "log_loss"] as const;

type Part = (typeof PARTS)[number];
type Run = Readonly<Record<Part, Judged>>;

/**
 * Conversion intent on the Google Merchandise Store beside XGBoost on the same feature rows: in visits (a purchase within
 * a day) and as a weekly pool (within a week). `npm run bench -- intent FOLDER PYTHON`: the folder holds
 * `google_merch_ga4/`, the Python has the packages of bench/peers/requirements.txt.
 */
export async function run(): Promise<void> {
  const data = process.argv[3] ?? join(ROOT, "..", "shared", "datasets");
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  try {
    const backend = await loadTensorBackend();
    const shop = await readMerchandise(join(data, "google_merch_ga4"), work);
    const ours: Run[] = [];
    for (const seed of SEEDS) {
      ours.push(await judgeNetwork(backend, shop, periodOf("train"), periodOf("test"), seed));
      console.error(`seed ${seed}: done`);
    }
    const theirs = existsSync(PYTHON) ? xgboost(shop, ours[0]) : undefined;
    report(ours, theirs, backend.name);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function periodOf(name: keyof typeof PERIODS): [number, number] {
  // A pool of the last midnight is judged, too.
  return [Date.parse(PERIODS[name][0]), Date.parse(PERIODS[name][1]) + 1];
}

interface Peer {
  readonly runs: readonly Run[];
  /** By part. */
  readonly settings: Readonly<Record<Part, string>>;
}

/** XGBoost's forecasts of the rows of our first run. Throws where it was judged on others. */
function xgboost(shop: Merchandise, ours: Run | undefined): Peer {
  const times = [
    ...periodOf("train"),
    ...periodOf("test"),
    periodOf("validationTrain")[1],
    ...periodOf("validation"),
  ];
  const linesOf = (
    part: Part,
    file: string,
    horizon: number,
  ): { judged: Judged; settings: string }[] => {
    const args = [file, String(horizon), ...times.map(String), String(SEEDS.length)];
    const script = join(ROOT, "bench", "peers", "xgboost_intent.py");
    return linesOfPeer<{ probabilities: number[]; labels: number[]; settings: object }>(
      PYTHON,
      script,
      args,
    ).map(({ probabilities, labels, settings }) => {
      const own = ours?.[part];
      if (own?.y.length !== labels.length || labels.some((label, row) => label !== own.y[row])) {
        throw new Error(`${part}: XGBoost was judged on other rows`);
      }
      return {
        judged: { p: Float64Array.from(probabilities), y: own.y, customers: own.customers },
        settings: JSON.stringify(settings),
      };
    });
  };
  const visits = linesOf("visits", shop.visitsFile, DAY_MS);
  const pool = linesOf("pool", shop.poolFile, 7 * DAY_MS);
  return {
    runs: visits.flatMap(({ judged }, index) => {
      const other = pool[index];
      return other === undefined ? [] : [{ visits: judged, pool: other.judged }];
    }),
    settings: { visits: visits[0]?.settings ?? "", pool: pool[0]?.settings ?? "" },
  };
}

function report(ours: readonly Run[], theirs: Peer | undefined, backend: string): void {
  const runs = new Map<string, Figures[]>();
  for (const part of PARTS) {
    runs.set(
      `${part}: herkoop`,
      ours.map((one) => figuresOf(one[part])),
    );
    if (theirs !== undefined) {
      runs.set(
        `${part}: xgboost`,
        theirs.runs.map((one) => figuresOf(one[part])),
      );
    }
  }
  const [own, peer] = ["visits: herkoop", "visits: xgboost"];
  const differences = Object.fromEntries(
    JUDGED.map((name) => [
      name,
      ours.map((one, index) => {
        const other = theirs?.runs[index];
        return other === undefined
          ? { mean: Number.NaN, low: Number.NaN, high: Number.NaN }
          : differenceOf(name, one.visits, other.visits);
      }),
    ]),
  );
  writeResult({
    ...circumstances("intent"),
    versions: { node: process.version, backend },
    systems: systemsOf(runs, SHOWN, theirs === undefined ? ["xgboost"] : []),
    goals: [
      { text: "visits: AUC >= 0.720", met: meanOf(runs, own, "auc") >= 0.72 },
      { text: "visits: AP >= 0.605", met: meanOf(runs, own, "average_precision") >= 0.605 },
      { text: "visits: log loss <= 0.585", met: meanOf(runs, own, "log_loss") <= 0.585 },
      ...JUDGED.map((name) => ({
        text: `visits: ${name}: every seed better than every seed of XGBoost`,
        met: isBetter(runs, own, peer, name),
      })),
      {
        text: "pool: conversions kept at 40% pruned >= 92%",
        met: meanOf(runs, "pool: herkoop", "kept_40") >= 0.92,
      },
    ],
    notes: [
      "Visits: a row per user, instant and event that is no purchase; learned before 2020-12-25, judged 2021-01-01 to 2021-01-23. Pool: users seen in 30 days, judged at four Sundays.",
      `XGBoost reads the same feature rows; its settings are chosen by log loss on 2020-12-11 to 24, learned before 2020-12-04${
        theirs === undefined
          ? ""
          : ` (visits: ${theirs.settings.visits}; pool: ${theirs.settings.pool})`
      }. Herkoop learns visits and pool in one network with three horizons, uncalibrated here.`,
      ...(theirs === undefined
        ? []
        : [
            `Herkoop less XGBoost in visits, with 95% intervals over users (means over seeds): ${JUDGED.map((name) => `${name} ${spoken(differences[name] ?? [])}`).join(", ")}.`,
          ]),
      `Pool, conversions kept at 40% pruned, with 95% intervals over users (means over seeds): herkoop ${spoken(ours.map(({ pool }) => intervalOf("kept_40", pool)))}${
        theirs === undefined
          ? ""
          : `, xgboost ${spoken(theirs.runs.map(({ pool }) => intervalOf("kept_40", pool)))}, the difference ${spoken(
              ours.flatMap(({ pool }, index) => {
                const other = theirs.runs[index];
                return other === undefined ? [] : [differenceOf("kept_40", pool, other.pool)];
              }),
            )}`
      }.`,
    ],
  });
}

/** The mean of intervals over seeds. */
function spoken(intervals: readonly { mean: number; low: number; high: number }[]): string {
  const mean = (of: (one: { mean: number; low: number; high: number }) => number): string =>
    (intervals.reduce((sum, one) => sum + of(one), 0) / intervals.length).toFixed(4);
  return `${mean((one) => one.mean)} [${mean((one) => one.low)}, ${mean((one) => one.high)}]`;
}
