import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../src/base/index.ts";
import type { DenseLayer } from "../src/models/dense-layer.ts";
import { type Dataset, intentTask, loadTensorBackend } from "../src/models/index.ts";
import { prepareForward } from "../src/models/intent/forward.ts";
import { visitTask } from "../src/models/intent/index.ts";
import { fitInputs, inputWidth } from "../src/models/intent/inputs.ts";
import type { IntentNetwork } from "../src/models/intent/network.ts";
import { readMerchandise } from "./intent/merchandise.ts";
import { type BenchResult, circumstances, figureOf, medianOf, writeResult } from "./result.ts";
import {
  multipliedRates,
  type Rates,
  randomRows,
  ratesOf,
  torchCost,
  torchVersion,
} from "./score-cost.ts";

const ROOT = join(import.meta.dirname, "..");
const ROWS = 20_000;
const RUNS = 5;
/** Times torch: what is asked for by default, and with an accelerator. */
const GOALS = [1, 2] as const;

/**
 * What scoring batches with the intent network costs beside torch MLPs of the same inputs, layers and members, and beside ONNX
 * Runtime where it is installed: rows of a shop's visits, and rows in which every feature is known and continuous, the most
 * that a row can cost. The weights are random: the cost does not depend on what they say.
 * `npm run bench -- intent-cost FOLDER`: the folder holds `google_merch_ga4/`.
 */
export async function run(): Promise<void> {
  const data = process.argv[3] ?? join(ROOT, "..", "shared", "datasets");
  const { horizonsMs } = visitTask();
  const backend = await loadTensorBackend();
  const datasets: Readonly<Record<string, Dataset>> = {
    visits: await visitRows(data),
    continuous: randomRows(intentTask().service.features, ROWS, horizonsMs.length),
  };
  const systems: Record<string, BenchResult["systems"][string]> = {};
  const goals: BenchResult["goals"][number][] = [];
  const notes: string[] = [];
  for (const [name, dataset] of Object.entries(datasets)) {
    const network = randomNetwork(dataset, horizonsMs.length);
    const inputs = inputWidth(network.inputs);
    const shape = { ...network, rows: ROWS, inputs };
    const found: Record<string, Rates[]> = {
      herkoop: [],
      torch: [],
      "onnxruntime, inputs made": [],
    };
    const forward = prepareForward(network, dataset.featureNames);
    forward.logitsOf(dataset.features);
    for (let turn = 0; turn < RUNS; turn++) {
      found["herkoop"]?.push(await ratesOf(ROWS, () => forward.logitsOf(dataset.features)));
      found["torch"]?.push(torchCost(shape).score);
      if (backend.onnx !== undefined) {
        found["onnxruntime, inputs made"]?.push(await multipliedRates(backend, shape));
      }
    }
    for (const [system, rates] of Object.entries(found)) {
      systems[`${name}: ${system}`] =
        rates.length === 0
          ? { absent: "not installed" }
          : Object.fromEntries(
              (["rows_per_processor_second", "rows_per_second"] as const).map((rate) => [
                rate,
                figureOf(
                  rates.map((one) => one[rate]),
                  "rows",
                ),
              ]),
            );
    }
    const ratio = medianOf(
      (found["herkoop"] ?? []).map(
        (ours, turn) =>
          ours.rows_per_processor_second /
          (found["torch"]?.[turn]?.rows_per_processor_second ?? Number.NaN),
      ),
    );
    goals.push(
      ...GOALS.map((least) => ({
        text: `${name}: at least ${least} times torch's rows per processor second (median of the turns: ${ratio.toFixed(2)} times)`,
        met: ratio >= least,
      })),
    );
    notes.push(
      `${name}: ${ROWS} rows of ${network.inputs.featureNames.length} features that vary and ${inputs} inputs, ${network.members.length} members of ${visitTask().settings.hiddenUnits.join("-")}.`,
    );
  }
  writeResult({
    ...circumstances("intent-cost"),
    versions: { node: process.versions.node, torch: torchVersion() },
    systems,
    goals,
    notes: [
      ...notes,
      "By turns, one thread each. Herkoop's figures are from features to logits; torch and ONNX Runtime multiply inputs that are there already, in batches of 1,024 rows.",
    ],
  });
}

async function visitRows(data: string): Promise<Dataset> {
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  try {
    const { visits } = await readMerchandise(join(data, "google_merch_ga4"), work);
    const { dataset } = visits;
    const features = dataset.features.slice(0, ROWS * dataset.featureNames.length);
    return { ...dataset, rows: ROWS, features };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function randomNetwork(dataset: Dataset, intervals: number): IntentNetwork {
  const { settings } = visitTask();
  const inputs = fitInputs(dataset, settings.bins);
  const random = seededRandom(3);
  const numbers = (length: number): Float32Array =>
    Float32Array.from({ length }, () => (random.next() - 0.5) / 10);
  const widths = [inputWidth(inputs), ...settings.hiddenUnits, intervals];
  const members = Array.from({ length: settings.members }, () =>
    widths.slice(1).map((units, layer): DenseLayer => {
      const from = widths[layer] ?? 0;
      return { inputs: from, units, kernel: numbers(from * units), bias: numbers(units) };
    }),
  );
  return { inputs, intervals, members };
}
