import { readFileSync } from "node:fs";
import { seededRandom } from "../../src/base/index.ts";
import type { Dataset, TensorBackend } from "../../src/models/index.ts";
import {
  figuresOf,
  outcomesAt,
  probabilitiesOfRows,
  trainIntentNetwork,
  visitTask,
} from "../../src/models/intent/index.ts";
import type { Figures } from "./judge.ts";

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

/** Mean figures of five-fold cross-validation, folds dealt at random. */
export async function crossValidate(
  backend: TensorBackend,
  dataset: Dataset,
  seed: number,
): Promise<Figures> {
  const random = seededRandom(seed);
  const fold = Uint8Array.from({ length: dataset.rows }, () => random.below(FOLDS));
  const { settings } = visitTask({ seed });
  const sums = new Map<string, number>();
  for (let one = 0; one < FOLDS; one++) {
    const train = partOf(dataset, (row) => fold[row] !== one);
    const test = partOf(dataset, (row) => fold[row] === one);
    const network = await trainIntentNetwork(
      backend,
      train,
      new Float32Array(train.rows).fill(1),
      1,
      {
        ...settings,
        batchSize: 256,
        epochs: 10,
      },
    );
    const model = {
      horizonsMs: [1],
      mainHorizon: 0,
      system: { kind: "network" as const, network },
      calibration: [],
      quantiles: [],
    };
    const found = figuresOf(
      outcomesAt(test, probabilitiesOfRows(backend, model, test), 1, 0, () => true),
    );
    for (const [name, value] of Object.entries(found)) {
      sums.set(name, (sums.get(name) ?? 0) + value / FOLDS);
    }
  }
  return Object.fromEntries(sums);
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
