import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadTensorBackend } from "../src/models/index.ts";
import { type Figures, isBetter, linesOfPeer, meanOf, systemsOf } from "./intent/figures.ts";
import {
  crossValidate,
  dealParts,
  judgeFolds,
  readShoppers,
  writeShoppers,
} from "./intent/shoppers.ts";
import { circumstances, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = process.argv[4] ?? join(ROOT, ".venv", "bin", "python");
const SEEDS = [1, 2, 3];
const SHOWN = ["auc", "average_precision", "log_loss", "kept_30", "kept_40", "kept_50", "kept_60"];
const VIEWS = [
  ["with PageValues", true],
  ["without PageValues", false],
] as const;

/**
 * UCI Online Shoppers as a table, through the model code alone, beside XGBoost on the same folds and validation rows.
 * `npm run bench -- intent-shoppers FOLDER PYTHON`: the folder holds `uci_online_shoppers/`, the Python has the packages of
 * bench/peers/requirements.txt.
 */
export async function run(): Promise<void> {
  const data = process.argv[3] ?? join(ROOT, "..", "shared", "datasets");
  const file = join(data, "uci_online_shoppers", "online_shoppers_intention.csv");
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  const runs = new Map<string, Figures[]>();
  const add = (system: string, figures: Figures): void => {
    console.error(`${system}: ${JSON.stringify(figures)}`);
    runs.set(system, [...(runs.get(system) ?? []), figures]);
  };
  const hasPeer = existsSync(PYTHON);
  const backend = await loadTensorBackend();
  try {
    for (const [name, hasValues] of VIEWS) {
      const table = readShoppers(file, hasValues);
      const parts = new Map(SEEDS.map((seed) => [seed, dealParts(table.rows, seed)]));
      if (hasPeer) {
        writeShoppers(table, parts, join(work, "table.csv"));
        const lines = linesOfPeer<{ probabilities: number[]; settings: object[] }>(
          PYTHON,
          join(ROOT, "bench", "peers", "xgboost_shoppers.py"),
          [join(work, "table.csv"), ...SEEDS.map(String)],
        );
        lines.forEach(({ probabilities, settings }, index) => {
          console.error(JSON.stringify(settings));
          const own = parts.get(SEEDS[index] ?? 0) ?? new Uint8Array();
          add(`${name}: xgboost`, judgeFolds(table, own, Float64Array.from(probabilities)));
        });
      }
      for (const [seed, own] of parts) {
        const p = await crossValidate(backend, table, own, seed, (settings) => {
          console.error(JSON.stringify(settings));
        });
        add(`${name}: herkoop`, judgeFolds(table, own, p));
      }
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const [ours, theirs] = ["with PageValues: herkoop", "with PageValues: xgboost"];
  const blind = ["without PageValues: herkoop", "without PageValues: xgboost"] as const;
  writeResult({
    ...circumstances("intent-shoppers"),
    versions: { node: process.version, backend: backend.name },
    systems: systemsOf(runs, SHOWN, hasPeer ? [] : ["xgboost"]),
    goals: [
      { text: "AUC >= 0.940", met: meanOf(runs, ours, "auc") >= 0.94 },
      { text: "kept at 40% pruned >= 99.8%", met: meanOf(runs, ours, "kept_40") >= 0.998 },
      { text: "kept at 50% pruned >= 99.0%", met: meanOf(runs, ours, "kept_50") >= 0.99 },
      ...(["auc", "average_precision", "log_loss"] as const).flatMap((name) => [
        {
          text: `${name}: every seed better than every seed of XGBoost`,
          met: isBetter(runs, ours, theirs, name),
        },
        {
          text: `without PageValues, ${name}: every seed better than every seed of XGBoost`,
          met: isBetter(runs, ...blind, name),
        },
      ]),
    ],
    notes: [
      "Five-fold cross-validation, folds dealt anew by each seed; a figure is the mean of the folds'. In each fold both choose their settings by log loss on the same fifth of its training rows (three settings of the network with two members, seven of XGBoost), then learn from all of them.",
      "PageValues is computed by the analytics tool partly from conversions.",
    ],
  });
}
