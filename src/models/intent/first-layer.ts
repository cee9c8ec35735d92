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
  const units = members.reduce((sum, [first]) => sum + (first?.units ?? 0), 0);
  const blocks = Math.ceil(units / BLOCK_UNITS);
  const firstEntries = new Int32Array(inputs.edges.length);
  let entries = 0;
  inputs.edges.forEach((edges, feature) => {
    firstEntries[feature] = entries;
    entries += edges.length;
  });
  const table = new Float32Array(2 * BLOCK_UNITS * blocks * entries);
  const typicalSums = new Float32Array(BLOCK_UNITS * blocks);
  const offsets = inputOffsets(inputs);
  let before = 0;
  for (const [first] of members) {
    for (let own = 0; own < (first?.units ?? 0); own++) {
      const unit = before + own;
      const weightOf = (input: number): number =>
        first?.kernel[input * first.units + own] ?? Number.NaN;
      const write = (entry: number, added: number, byShare: number): void => {
        const block = Math.floor(unit / BLOCK_UNITS);
        const at = 2 * BLOCK_UNITS * (block * entries + entry) + (unit % BLOCK_UNITS);
        table[at] = added;
        table[at + BLOCK_UNITS] = byShare;
      };
      let sum = first?.bias[own] ?? 0;
      inputs.edges.forEach((edges, feature) => {
        const offset = offsets[feature] ?? 0;
        const spans = edges.length - 1;
        const unknown = inputs.flags[feature] === true ? weightOf(offset + spans) : 0;
        const typical = inputs.typical[feature] ?? Number.NaN;
        const weights = Array.from({ length: spans }, (_, span) => weightOf(offset + span));
        const usual = Number.isNaN(typical) ? unknown : addedBy(weights, edges, typical);
        sum += usual;
        let running = 0;
        weights.forEach((weight, span) => {
          write((firstEntries[feature] ?? 0) + span, running - usual, weight);
          running += weight;
        });
        write((firstEntries[feature] ?? 0) + spans, unknown - usual, 0);
      });
      typicalSums[unit] = sum;
    }
    before += first?.units ?? 0;
  }
  return { units, blocks, typicalSums, entries, firstEntries, table };
}

function addedBy(weights: readonly number[], edges: readonly number[], value: number): number {
  const { span, share } = placeAmong(edges, Math.fround(value));
  const full = weights.slice(0, span).reduce((sum, weight) => sum + weight, 0);
  return full + share * (weights[span] ?? 0);
}
