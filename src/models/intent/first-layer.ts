import { inputOffsets, placeAmong } from "./inputs.ts";
import type { IntentNetwork } from "./network.ts";

/** So many units stand together in a block of the table. */
export const BLOCK_UNITS = 32;

/** What the members' first layers make of each feature, side by side, against what they make of its typical value. */
export interface FirstLayerTable {
  /** How many units the first layers have, all members together; sums are padded to whole blocks with zeros. */
  readonly units: number;
  readonly blocks: number;
  /** The sums of a row in which every feature has its typical value. */
  readonly typicalSums: Float32Array;
  /** How many entries there are: one per span of each feature, and one per feature for "unknown". */
  readonly entries: number;
  /** Per feature, its first span's entry; that of "unknown" follows the last span's. */
  readonly firstEntries: Int32Array;
  /** Block by block, entry by entry: what a span adds to each unit, then what the share of it that a value fills adds. */
  readonly table: Float32Array;
}

/**
 * Piecewise-linear inputs are 1 up to the span a value lies in, so what a feature adds to a unit is a running sum over
 * its spans and a share of the next: two numbers, however many spans there are. Less what its typical value adds,
 * a row costs no more than what is not typical of it.
 */
export function tabulateFirstLayers({ inputs, members }: IntentNetwork): FirstLayerTable {
  const firstLayers = members.flatMap(([first]) => first ?? []);
  const typicalRow = Float64Array.from(firstLayers.flatMap((layer) => [...layer.bias]));
  const units = typicalRow.length;
  const blocks = Math.ceil(units / BLOCK_UNITS);
  const firstEntries = new Int32Array(inputs.edges.length);
  let entries = 0;
  inputs.edges.forEach((edges, feature) => {
    firstEntries[feature] = entries;
    entries += edges.length;
  });
  const table = new Float32Array(2 * BLOCK_UNITS * blocks * entries);
  const write = (
    entry: number,
    added: Float64Array,
    usual: Float64Array,
    byShare: Float64Array,
  ): void => {
    for (let unit = 0; unit < units; unit++) {
      const block = Math.floor(unit / BLOCK_UNITS);
      const at = 2 * BLOCK_UNITS * (block * entries + entry) + (unit % BLOCK_UNITS);
      table[at] = (added[unit] ?? 0) - (usual[unit] ?? 0);
      table[at + BLOCK_UNITS] = byShare[unit] ?? 0;
    }
  };
  const addInput = (sums: Float64Array, input: number, share = 1): Float64Array => {
    let unit = 0;
    for (const layer of firstLayers) {
      const from = input * layer.units;
      for (let own = 0; own < layer.units; own++, unit++) {
        sums[unit] = (sums[unit] ?? 0) + share * (layer.kernel[from + own] ?? 0);
      }
    }
    return sums;
  };
  const nothing = new Float64Array(units);
  const offsets = inputOffsets(inputs);
  inputs.edges.forEach((edges, feature) => {
    const [offset = 0, entry = 0] = [offsets[feature], firstEntries[feature]];
    const spans = edges.length - 1;
    const unknown = new Float64Array(units);
    if (inputs.flags[feature] === true) {
      addInput(unknown, offset + spans);
    }
    const typical = inputs.typical[feature] ?? Number.NaN;
    const usual = Number.isNaN(typical) ? unknown : new Float64Array(units);
    if (!Number.isNaN(typical)) {
      const { span, share } = placeAmong(edges, Math.fround(typical));
      for (let full = 0; full < span; full++) {
        addInput(usual, offset + full);
      }
      addInput(usual, offset + span, share);
    }
    const running = new Float64Array(units);
    for (let span = 0; span < spans; span++) {
      write(entry + span, running, usual, addInput(new Float64Array(units), offset + span));
      addInput(running, offset + span);
    }
    write(entry + spans, unknown, usual, nothing);
    usual.forEach((value, unit) => {
      typicalRow[unit] = (typicalRow[unit] ?? 0) + value;
    });
  });
  const typicalSums = new Float32Array(BLOCK_UNITS * blocks);
  typicalSums.set(typicalRow);
  return { units, blocks, typicalSums, entries, firstEntries, table };
}
