import { eachAtRisk } from "../at-risk.ts";
import { type Dataset, featureColumn } from "../dataset.ts";

/**
 * The hazard observed among rows alike in one feature: a table of bins by intervals. On recency it is
 * the last-value rule; on silence over a mean gap it is the personal (or the product's) gap
 * distribution; without a feature it is the marginal.
 */
export interface BinnedHazard {
  readonly feature: string | null;
  readonly intervals: number;
  /** Ascending upper edges of the bins but the last; bin 0 holds the unknown. */
  readonly edges: readonly number[];
  /** Bins × intervals, row-major. */
  readonly hazards: readonly number[];
}

const BINS = 20;
/** Rows' worth of the population's hazard that each cell starts from. */
const PRIOR_ROWS = 20;

/** Fits the table on rows with an observed interval. */
export function fitBinnedHazard(
  dataset: Dataset,
  intervals: number,
  feature: string | null,
): BinnedHazard {
  const column =
    feature === null ? new Float32Array(dataset.rows) : featureColumn(dataset, feature);
  const edges = feature === null ? [] : quantileEdges(column);
  const bins = edges.length + 2;
  const happened = new Float64Array(bins * intervals);
  const atRisk = new Float64Array(bins * intervals);
  const all = { happened: new Float64Array(intervals), atRisk: new Float64Array(intervals) };
  eachAtRisk(dataset, intervals, (row, interval, isEvent, weight) => {
    const cell = binOf(edges, column[row] ?? Number.NaN) * intervals + interval;
    atRisk[cell] = (atRisk[cell] ?? 0) + weight;
    all.atRisk[interval] = (all.atRisk[interval] ?? 0) + weight;
    if (isEvent) {
      happened[cell] = (happened[cell] ?? 0) + weight;
      all.happened[interval] = (all.happened[interval] ?? 0) + weight;
    }
  });
  const hazards = Array.from(happened, (count, cell) => {
    const interval = cell % intervals;
    const population = ((all.happened[interval] ?? 0) + 1) / ((all.atRisk[interval] ?? 0) + 2);
    return (count + PRIOR_ROWS * population) / ((atRisk[cell] ?? 0) + PRIOR_ROWS);
  });
  return { feature, intervals, edges, hazards };
}

/** The table's hazards for every row, rows × intervals. */
export function binnedHazards(model: BinnedHazard, dataset: Dataset): Float64Array {
  const column =
    model.feature === null ? new Float32Array(dataset.rows) : featureColumn(dataset, model.feature);
  const result = new Float64Array(dataset.rows * model.intervals);
  for (let row = 0; row < dataset.rows; row++) {
    const bin = binOf(model.edges, column[row] ?? Number.NaN);
    for (let interval = 0; interval < model.intervals; interval++) {
      result[row * model.intervals + interval] =
        model.hazards[bin * model.intervals + interval] ?? 0;
    }
  }
  return result;
}

function quantileEdges(column: Float32Array): number[] {
  const known = column.filter((value) => !Number.isNaN(value)).sort();
  const edges = Array.from(
    { length: BINS - 1 },
    (_, bin) => known[Math.floor(((bin + 1) * known.length) / BINS)] ?? 0,
  );
  return [...new Set(edges)];
}

function binOf(edges: readonly number[], value: number): number {
  if (Number.isNaN(value)) {
    return 0;
  }
  let bin = 1;
  for (const edge of edges) {
    if (value > edge) {
      bin++;
    }
  }
  return bin;
}
