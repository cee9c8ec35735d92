import type { Step, Store } from "../../base/index.ts";
import {
  type FeatureService,
  historicalMatrix,
  type MomentRequest,
  visitMoments,
} from "../../features/index.ts";
import { type Dataset, featureColumn, selectRows } from "../dataset.ts";

/** Rows anchored at instants of visits and between them, with the spans of time in which the next order fell. */
export interface IntentRows {
  /** Its events and observed intervals count the spans between horizons. */
  readonly dataset: Dataset;
  /** When the next order was placed, epoch ms; Infinity where none was seen. */
  readonly orders: Float64Array;
  /** How many instants each row stands for. */
  readonly weights: Float64Array;
  /** 1 in the middle of a visit, 0 between visits. */
  readonly isVisiting: Uint8Array;
  /** null where it was not said, and between visits. */
  readonly channels: readonly (string | null)[];
  /** Rows left out because no person looks so fast. */
  readonly botRows: number;
}

/** What looks more often than this is no person: instants with browsing in 5 minutes, and in a day. */
export const BOT_RULE = [
  ["moments_5m", 100],
  ["moments_1d", 1000],
] as const;

/** Whether a row of features is a bot's by the rule. */
export function isBot(
  featureNames: readonly string[],
  features: ArrayLike<number | null>,
): boolean {
  return BOT_RULE.some(([name, most]) => (features[featureNames.indexOf(name)] ?? 0) >= most);
}

/** Draws instants, reads their features as known then, and sees what was ordered after them; bots are left out. */
export async function readIntentRows(
  store: Store,
  service: FeatureService,
  horizonsMs: readonly number[],
  request: MomentRequest,
  rowsMax: number,
  step: Step,
): Promise<IntentRows> {
  const drawn = await visitMoments(store, request);
  const stride = Math.max(1, Math.ceil(drawn.rows / rowsMax));
  const kept = Array.from({ length: Math.ceil(drawn.rows / stride) }, (_, index) => index * stride);
  const anchors = kept.map((row) => ({
    customerId: drawn.customers[row] ?? 0,
    cutoff: drawn.cutoffs[row] ?? 0,
  }));
  const matrix = await historicalMatrix(store, service, anchors, { step });
  const orders = Float64Array.from(kept, (row) => drawn.orders[row] ?? Number.POSITIVE_INFINITY);
  const dataset: Dataset = {
    ...matrix,
    // An anchor of a customer who was merged keeps its number.
    customers: Int32Array.from(kept, (row) => drawn.customers[row] ?? 0),
    ...outcomesOf(orders, matrix.cutoffs, horizonsMs, request.knownBefore),
  };
  const rows: IntentRows = {
    dataset,
    orders,
    weights: Float64Array.from(kept, (row) => stride * (drawn.weights[row] ?? 1)),
    isVisiting: Uint8Array.from(kept, (row) => drawn.isVisiting[row] ?? 0),
    channels: kept.map((row) => drawn.channels[row] ?? null),
    botRows: 0,
  };
  const tests = BOT_RULE.map(([name, most]) => ({ values: featureColumn(dataset, name), most }));
  const people = chooseRows(rows, (row) =>
    tests.every(({ values, most }) => (values[row] ?? 0) < most),
  );
  return { ...people, botRows: dataset.rows - people.dataset.rows };
}

/** The rows for which `keep` says so. */
export function chooseRows(rows: IntentRows, keep: (row: number) => boolean): IntentRows {
  const chosen: number[] = [];
  for (let row = 0; row < rows.dataset.rows; row++) {
    if (keep(row)) {
      chosen.push(row);
    }
  }
  return {
    dataset: selectRows(rows.dataset, keep),
    orders: Float64Array.from(chosen, (row) => rows.orders[row] ?? Number.POSITIVE_INFINITY),
    weights: Float64Array.from(chosen, (row) => rows.weights[row] ?? 0),
    isVisiting: Uint8Array.from(chosen, (row) => rows.isVisiting[row] ?? 0),
    channels: chosen.map((row) => rows.channels[row] ?? null),
    botRows: rows.botRows,
  };
}

/** In which span an order fell (-1: in none that was seen whole), and how many spans were seen whole. */
export function outcomesOf(
  orders: Float64Array,
  cutoffs: Float64Array,
  horizonsMs: readonly number[],
  knownBefore: number,
): Pick<Dataset, "events" | "observed"> {
  const observed = Int16Array.from(
    cutoffs,
    (cutoff) => horizonsMs.filter((horizon) => cutoff + horizon <= knownBefore).length,
  );
  const events = Int16Array.from({ length: orders.length }, (_, row) => {
    const order = orders[row] ?? Number.POSITIVE_INFINITY;
    const span = horizonsMs.findIndex((horizon) => order < (cutoffs[row] ?? 0) + horizon);
    return span < (observed[row] ?? 0) ? span : -1;
  });
  return { events, observed };
}

/** The rows of [from, until) with the outcomes that were known before an instant; epoch ms. */
export function rowsBetween(
  rows: IntentRows,
  horizonsMs: readonly number[],
  [from, until]: readonly [number, number],
  knownBefore: number,
): IntentRows {
  const { cutoffs } = rows.dataset;
  const chosen = chooseRows(rows, (row) => {
    const cutoff = cutoffs[row] ?? 0;
    return cutoff >= from && cutoff < until;
  });
  const outcomes = outcomesOf(chosen.orders, chosen.dataset.cutoffs, horizonsMs, knownBefore);
  return { ...chosen, dataset: { ...chosen.dataset, ...outcomes } };
}

/**
 * What each row weighs in training: the instants it stands for, over the root of how many rows its customer has of
 * the same kind, since rows of one visit share their outcome. Their mean is 1.
 */
export function trainingWeights({ dataset, weights, isVisiting }: IntentRows): Float32Array {
  const counts = new Map<number, number>();
  const keyOf = (row: number): number => 2 * (dataset.customers[row] ?? 0) + (isVisiting[row] ?? 0);
  for (let row = 0; row < dataset.rows; row++) {
    counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + (weights[row] ?? 0));
  }
  const raw = Float32Array.from(
    weights,
    (weight, row) => weight / Math.sqrt(counts.get(keyOf(row)) ?? 1),
  );
  const mean = raw.reduce((sum, one) => sum + one, 0) / Math.max(1, raw.length);
  return raw.map((one) => one / mean);
}
