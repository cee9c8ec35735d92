import { type Outputs, planLayer, planOutputs } from "./dense-units.ts";
import { BLOCK_UNITS, tabulateFirstLayers } from "./first-layer.ts";
import { MemoryPlan } from "./kernel.ts";
import type { IntentNetwork } from "./network.ts";
import { ENTRY_BYTES, planFeatures } from "./placed-features.ts";

/** A network made ready for rows of features, without a tensor library. Not to be shared between threads. */
export interface IntentForward {
  /** The first layers' sums of a row in which every feature has its typical value, all members' side by side. */
  readonly typicalSums: Float32Array;
  /** What one feature's value adds to the first layers' sums, against its typical one. `feature` counts among the network's. */
  differenceOf(feature: number, value: number): Float32Array;
  /** The logits of every row, averaged over the members, row-major (rows × intervals). `features` are rows as well. */
  logitsOf(features: Float32Array): Float64Array;
}

/** So many rows at a time: what is made of them stays in the processor's second cache, beside a block of the table. */
const LOT = 128;

/**
 * Prepares for rows of features of the given names; all memory is taken here (docs/decisions/0017). Throws `conflict` where a
 * name is missing.
 */
export function prepareForward(
  network: IntentNetwork,
  featureNames: readonly string[],
): IntentForward {
  const { intervals, members } = network;
  const width = featureNames.length;
  const count = network.inputs.edges.length;
  const first = tabulateFirstLayers(network);
  const { units, blocks } = first;
  const plan = new MemoryPlan();
  const features = planFeatures(plan, network.inputs, featureNames);
  const table = plan.take(first.table.length);
  const typical = plan.take(first.typicalSums.length);
  const zeros = plan.take(first.typicalSums.length);
  const given = plan.take(LOT * width);
  const starts = plan.take(LOT + 1);
  const items = plan.take(LOT * 2 * count);
  const sums = plan.take(LOT * first.typicalSums.length);
  const stride = 4 * first.typicalSums.length;
  const behind = members.map((layers) => layers.slice(1).map((layer) => planLayer(plan, layer)));
  const outputs = planOutputs(plan, members, LOT);
  const opened = plan.open();
  const { kernel, floats } = opened;
  features.write(opened, first);
  floats.set(first.table, table / 4);
  floats.set(first.typicalSums, typical / 4);
  for (const layer of behind.flat()) {
    layer.write(floats);
  }
  const place = (rows: number, from: number, until: number): void => {
    const [record, end] = [features.recordOf(from), features.recordOf(until)];
    kernel.place(rows, given, width * 4, record, end, starts, items);
  };
  const spread = (rows: number, base: number): void => {
    for (let block = 0; block < blocks; block++) {
      const at = block * BLOCK_UNITS * 4;
      const part = table + block * first.entries * ENTRY_BYTES;
      kernel.spread(rows, starts, part, base + at, sums + at, stride);
    }
  };
  /** Goes through a member's layers behind the first, whose sums begin at a unit; answers with its logits. */
  const through = (member: number, unit: number, rows: number): Outputs =>
    (behind[member] ?? []).reduce<Outputs>(
      (from, layer, index) => layer.run(kernel, rows, from, outputs[index] ?? 0),
      { at: sums + unit * 4, stride },
    );
  const addLogits = (rows: number, logits: Float64Array, to: number): void => {
    let unit = 0;
    members.forEach((layers, member) => {
      const from = through(member, unit, rows);
      for (let row = 0; row < rows; row++) {
        for (let interval = 0; interval < intervals; interval++) {
          const own = floats[(from.at + row * from.stride) / 4 + interval] ?? 0;
          const at = to + row * intervals + interval;
          logits[at] = (logits[at] ?? 0) + own / members.length;
        }
      }
      unit += layers[0]?.units ?? 0;
    });
  };
  return {
    typicalSums: first.typicalSums.subarray(0, units),
    differenceOf: (feature, value) => {
      floats[(given + features.columnOf(feature)) / 4] = value;
      place(1, feature, feature + 1);
      spread(1, zeros);
      return floats.slice(sums / 4, sums / 4 + units);
    },
    logitsOf: (rowsOfFeatures) => {
      const rows = rowsOfFeatures.length / width;
      const logits = new Float64Array(rows * intervals);
      for (let from = 0; from < rows; from += LOT) {
        const lot = Math.min(LOT, rows - from);
        floats.set(rowsOfFeatures.subarray(from * width, (from + lot) * width), given / 4);
        place(lot, 0, count);
        spread(lot, typical);
        addLogits(lot, logits, from * intervals);
      }
      return logits;
    },
  };
}
