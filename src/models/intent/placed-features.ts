import { BLOCK_UNITS, type FirstLayerTable } from "./first-layer.ts";
import { columnsOf, type PiecewiseInputs } from "./inputs.ts";
import { type MemoryPlan, type OpenKernel, wholeVectors } from "./kernel.ts";

/** The records of features, by which the kernel places their values among the entries of the table. Pointers are in bytes. */
export interface PlacedFeatures {
  /** Where a feature's value stands in a row. */
  columnOf(feature: number): number;
  /** Where a feature's record begins; the last one's ends where that of one more would begin. */
  recordOf(feature: number): number;
  write(opened: OpenKernel, table: FirstLayerTable): void;
}

/** An entry of the table within its block. */
export const ENTRY_BYTES = 2 * BLOCK_UNITS * 4;
const RECORD_BYTES = 32;

/** Takes what the features of a network need, for rows of the given names. Throws `conflict` where one is missing. */
export function planFeatures(
  plan: MemoryPlan,
  inputs: PiecewiseInputs,
  featureNames: readonly string[],
): PlacedFeatures {
  const columns = columnsOf(inputs, featureNames);
  const records = plan.take((RECORD_BYTES / 4) * inputs.edges.length);
  const edgesAt = inputs.edges.map((edges) => plan.take(wholeVectors(edges.length)));
  const widthsAt = inputs.edges.map((edges) => plan.take(edges.length - 1));
  const recordOf = (feature: number): number => records + feature * RECORD_BYTES;
  const columnOf = (feature: number): number => 4 * (columns[feature] ?? 0);
  return {
    columnOf,
    recordOf,
    write: ({ floats, integers }, { firstEntries }) => {
      inputs.edges.forEach((edges, feature) => {
        const [edgeAt = 0, widthAt = 0] = [edgesAt[feature], widthsAt[feature]];
        const edgesEnd = edgeAt + 4 * wholeVectors(edges.length);
        const spans = edges.length - 1;
        const entry = ENTRY_BYTES * (firstEntries[feature] ?? 0);
        const at = recordOf(feature) / 4;
        integers[at] = columnOf(feature);
        floats[at + 1] = inputs.typical[feature] ?? Number.NaN;
        integers.set(
          [edgeAt, edgesEnd, spans - 1, widthAt, entry, entry + spans * ENTRY_BYTES],
          at + 2,
        );
        floats.fill(Number.POSITIVE_INFINITY, edgeAt / 4, edgesEnd / 4);
        floats.set(edges, edgeAt / 4);
        for (let span = 0; span < spans; span++) {
          floats[widthAt / 4 + span] = (edges[span + 1] ?? 0) - (edges[span] ?? 0);
        }
      });
    },
  };
}
