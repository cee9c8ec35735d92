import { readFileSync, writeFileSync } from "node:fs";
import { seededRandom } from "../../src/base/index.ts";
import type { Dataset, TensorBackend } from "../../src/models/index.ts";
import {
  figuresOf,
  outcomesAt,
  probabilitiesOfRows,
  trainIntentNetwork,
  visitTask,
} from "../../src/models/intent/index.ts";
import type { Figures } from "./figures.ts";

const CATEGORIES = [
  "Month",
  "OperatingSystems",
  "Browser",
  "Region",
  "TrafficType",
  "VisitorType",
  "Weekend",
];
const FOLDS = 5;

/** UCI Online Shoppers as a table: its columns as they are, those of names as one of 0 or 1 per name. */
export function readShoppers(file: string, withPageValues: boolean): Dataset {
  const [header = "", ...lines] = readFileSync(file, "utf8").trim().split(/\r?\n/);
  const columns = header.split(",");
  const cells = lines.map((line) => line.split(","));
  const features = columns.flatMap(
    (name, column): { name: string; of: (row: readonly string[]) => number }[] => {
      if (name === "Revenue" || (name === "PageValues" && !withPageValues)) {
        return [];
      }
      if (!CATEGORIES.includes(name)) {
        return [{ name, of: (row) => Number(row[column]) }];
      }
      const names = [...new Set(cells.map((row) => row[column] ?? ""))].sort();
      return names.map((one) => ({
        name: `${name}_${one}`,
        of: (row) => Number(row[column] === one),
      }));
    },
  );
  const revenue = columns.indexOf("Revenue");
  return {
    featureNames: features.map(({ name }) => name),
    rows: cells.length,
    features: Float32Array.from(cells.flatMap((row) => features.map(({ of }) => of(row)))),
    cutoffs: new Float64Array(cells.length),
    customers: Int32Array.from(cells.keys()),
    products: [],
    events: Int16Array.from(cells, (row) => (row[revenue]?.toUpperCase() === "TRUE" ? 0 : -1)),
    observed: new Int16Array(cells.length).fill(1),
  };
}

/** Rows dealt at random into 25 parts: a fold is five of them. */
export function dealParts(rows: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: rows }, () => random.below(FOLDS * FOLDS));
}

/** Whether a row is judged in a fold, and whether it is one of the others on which settings are chosen. */
const isJudged = (part: number, fold: number): boolean => Math.floor(part / FOLDS) === fold;
const isValidating = (part: number, fold: number): boolean =>
  !isJudged(part, fold) && part % FOLDS === fold;

/** Settings to choose from: wide and short, deep and short, slim and long. */
const GRID = [
  { bins: 12, hiddenUnits: [256, 256], weightDecay: 3, learningRate: 0.004, epochs: 10 },
  { bins: 12, hiddenUnits: [128, 128, 64], weightDecay: 3, learningRate: 0.002, epochs: 10 },
  { bins: 12, hiddenUnits: [128, 64], weightDecay: 2, learningRate: 0.002, epochs: 20 },
] as const;
const CHOOSING_MEMBERS = 2;

/**
 * The probability of each row by five-fold cross-validation: in each fold, settings are chosen by log loss on a fifth of
 * its training rows, then all of these are learned from. `onFold` hears which settings were chosen.
 */
export async function crossValidate(
  backend: TensorBackend,
  dataset: Dataset,
  parts: Uint8Array,
  seed: number,
  onFold: (settings: object) => void,
): Promise<Float64Array> {
  const probabilities = new Float64Array(dataset.rows);
  const { settings } = visitTask({ seed });
  const forecast = async (
    train: Dataset,
    test: Dataset,
    chosen: Partial<typeof settings>,
  ): Promise<Float64Array> => {
    const weights = new Float32Array(train.rows).fill(1);
    const learning = { ...settings, batchSize: 256, ...chosen };
    const network = await trainIntentNetwork(backend, train, weights, 1, learning);
    const model = {
      horizonsMs: [1],
      mainHorizon: 0,
      system: { kind: "network" as const, network },
      calibration: [],
      quantiles: [],
    };
    return probabilitiesOfRows(model, test);
  };
  for (let fold = 0; fold < FOLDS; fold++) {
    const rowsOf = (keep: (part: number) => boolean): Dataset =>
      partOf(dataset, (row) => keep(parts[row] ?? 0));
    const early = rowsOf((part) => !isJudged(part, fold) && !isValidating(part, fold));
    const valid = rowsOf((part) => isValidating(part, fold));
    const losses: number[] = [];
    for (const one of GRID) {
      const p = await forecast(early, valid, { ...one, members: CHOOSING_MEMBERS });
      losses.push(judgeShoppers(valid, p)["log_loss"] ?? Number.NaN);
    }
    const best = GRID[losses.indexOf(Math.min(...losses))] ?? GRID[0];
    onFold(best);
    const found = await forecast(
      rowsOf((part) => !isJudged(part, fold)),
      rowsOf((part) => isJudged(part, fold)),
      best,
    );
    let next = 0;
    parts.forEach((part, row) => {
      if (isJudged(part, fold)) {
        probabilities[row] = found[next++] ?? Number.NaN;
      }
    });
  }
  return probabilities;
}

/** The figures of the forecasts of all rows. */
function judgeShoppers(dataset: Dataset, p: Float64Array): Figures {
  return figuresOf(outcomesAt(dataset, p, 1, 0, () => true));
}

/** The mean of the folds' figures. */
export function judgeFolds(dataset: Dataset, parts: Uint8Array, p: Float64Array): Figures {
  const sums = new Map<string, number>();
  for (let fold = 0; fold < FOLDS; fold++) {
    const judged = partOf(dataset, (row) => isJudged(parts[row] ?? 0, fold));
    const own = p.filter((_, row) => isJudged(parts[row] ?? 0, fold));
    for (const [name, value] of Object.entries(judgeShoppers(judged, own))) {
      sums.set(name, (sums.get(name) ?? 0) + value / FOLDS);
    }
  }
  return Object.fromEntries(sums);
}

/** The table as CSV for the peer: features, label, and each seed's parts. */
export function writeShoppers(
  dataset: Dataset,
  parts: ReadonlyMap<number, Uint8Array>,
  file: string,
): void {
  const width = dataset.featureNames.length;
  const head = [
    ...dataset.featureNames.map((_, index) => `f${index}`),
    "label",
    ...[...parts.keys()].map((seed) => `part_${seed}`),
  ];
  const lines = Array.from({ length: dataset.rows }, (_, row) => [
    ...dataset.features.subarray(row * width, (row + 1) * width),
    dataset.events[row] === 0 ? 1 : 0,
    ...[...parts.values()].map((one) => one[row] ?? 0),
  ]);
  writeFileSync(file, [head, ...lines].map((cells) => cells.join(",")).join("\n"));
}

function partOf(dataset: Dataset, keep: (row: number) => boolean): Dataset {
  const rows = [...dataset.events.keys()].filter(keep);
  const width = dataset.featureNames.length;
  const features = new Float32Array(rows.length * width);
  rows.forEach((row, index) => {
    features.set(dataset.features.subarray(row * width, (row + 1) * width), index * width);
  });
  return {
    ...dataset,
    rows: rows.length,
    features,
    cutoffs: new Float64Array(rows.length),
    customers: Int32Array.from(rows, (row) => dataset.customers[row] ?? 0),
    events: Int16Array.from(rows, (row) => dataset.events[row] ?? -1),
    observed: new Int16Array(rows.length).fill(1),
  };
}
