import { DAY_MS } from "../../src/base/index.ts";
import type { Dataset, TensorBackend } from "../../src/models/index.ts";
import {
  type IntentSettings,
  outcomesAt,
  outcomesOf,
  probabilitiesOfRows,
  trainIntentNetwork,
  trainingWeights,
  visitTask,
} from "../../src/models/intent/index.ts";
import type { LabelledRows } from "./merchandise.ts";

/** Forecasts of test rows, what happened, and whose rows they are; in the order of cutoff and user. */
export interface Judged {
  readonly p: Float64Array;
  readonly y: Uint8Array;
  readonly customers: Int32Array;
}

const HOUR_MS = DAY_MS / 24;

/** Rows of some instants, with outcomes by horizon as seen in the end. */
function chosen(
  { dataset, waits }: LabelledRows,
  from: number,
  until: number,
  horizonsMs: readonly number[],
): Dataset {
  const rows = [...dataset.cutoffs.keys()].filter((row) => {
    const cutoff = dataset.cutoffs[row] ?? 0;
    return cutoff >= from && cutoff < until;
  });
  const width = dataset.featureNames.length;
  const features = new Float32Array(rows.length * width);
  rows.forEach((row, index) => {
    features.set(dataset.features.subarray(row * width, (row + 1) * width), index * width);
  });
  const cutoffs = Float64Array.from(rows, (row) => dataset.cutoffs[row] ?? 0);
  const orders = Float64Array.from(rows, (row) => (dataset.cutoffs[row] ?? 0) + (waits[row] ?? 0));
  return {
    ...dataset,
    rows: rows.length,
    features,
    cutoffs,
    customers: Int32Array.from(rows, (row) => dataset.customers[row] ?? 0),
    ...outcomesOf(orders, cutoffs, horizonsMs, Number.POSITIVE_INFINITY),
  };
}

/** How a network differs from the product's. */
export interface Variant {
  readonly settings?: Partial<IntentSettings>;
  /** All rows weigh the same. */
  readonly isEven?: boolean;
}

/** Learns from visits and from the pool in one network, as the product does, and judges both; times in epoch ms. */
export async function judgeNetwork(
  backend: TensorBackend,
  rows: { readonly visits: LabelledRows; readonly pool: LabelledRows },
  train: readonly [number, number],
  test: readonly [number, number],
  seed: number,
  variant: Variant = {},
): Promise<{ readonly visits: Judged; readonly pool: Judged; readonly seconds: number }> {
  const task = visitTask({ horizonsMs: [HOUR_MS, DAY_MS, 7 * DAY_MS], seed });
  const { horizonsMs } = task;
  const learned = [
    chosen(rows.visits, ...train, horizonsMs),
    chosen(rows.pool, ...train, horizonsMs),
  ] as const;
  const dataset = joined(...learned);
  const isVisiting = new Uint8Array(dataset.rows).fill(1, 0, learned[0].rows);
  const weights =
    variant.isEven === true
      ? new Float32Array(dataset.rows).fill(1)
      : trainingWeights({
          dataset,
          orders: new Float64Array(0),
          weights: new Float64Array(dataset.rows).fill(1),
          isVisiting,
          channels: [],
          botRows: 0,
        });
  const started = performance.now();
  const network = await trainIntentNetwork(backend, dataset, weights, horizonsMs.length, {
    ...task.settings,
    ...variant.settings,
  });
  const seconds = (performance.now() - started) / 1000;
  const model = {
    horizonsMs,
    mainHorizon: task.mainHorizon,
    system: { kind: "network" as const, network },
    calibration: [],
    quantiles: [],
  };
  const judge = (part: LabelledRows, horizon: number): Judged => {
    const tested = chosen(part, ...test, horizonsMs);
    const probabilities = probabilitiesOfRows(model, tested);
    const { p, y } = outcomesAt(tested, probabilities, horizonsMs.length, horizon, () => true);
    return { p, y, customers: tested.customers };
  };
  return { visits: judge(rows.visits, 1), pool: judge(rows.pool, 2), seconds };
}

function joined(a: Dataset, b: Dataset): Dataset {
  const features = new Float32Array(a.features.length + b.features.length);
  features.set(a.features);
  features.set(b.features, a.features.length);
  return {
    ...a,
    rows: a.rows + b.rows,
    features,
    cutoffs: Float64Array.from([...a.cutoffs, ...b.cutoffs]),
    customers: Int32Array.from([...a.customers, ...b.customers]),
    events: Int16Array.from([...a.events, ...b.events]),
    observed: Int16Array.from([...a.observed, ...b.observed]),
  };
}
