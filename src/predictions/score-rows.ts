import {
  type Artifact,
  calibrate,
  type Dataset,
  distributionOf,
  effectsOf,
  hazardsOf,
  isProbability,
  noProbability,
  scoreMatrix,
  type TensorBackend,
} from "../models/index.ts";
import { REPURCHASE_GROUPS } from "./reasons.ts";

/** What an artifact says of rows, and what moved it. */
export interface ScoredRows {
  /** Calibrated, rows × (intervals + 1). */
  readonly distribution: Float64Array;
  /** Log odds of the typical row within four weeks; null where a baseline answers, or no pairs are asked about. */
  readonly base: number | null;
  /** Rows × groups of REPURCHASE_GROUPS; empty as above. */
  readonly effects: Float64Array;
}

const SOON_WEEKS = 4;

/** Scores rows with an artifact. */
export async function scoreRows(
  backend: TensorBackend,
  artifact: Artifact,
  rows: Dataset,
): Promise<ScoredRows> {
  const { fitted, calibration, intervals } = artifact;
  const hazards = calibrate(await hazardsOf(backend, fitted, rows), intervals, calibration);
  const distribution = distributionOf(hazards, intervals);
  if (!distribution.every(isProbability)) {
    throw noProbability(artifact.model, artifact.id);
  }
  if (fitted.kind !== "network" || artifact.model !== "repurchase-week") {
    return { distribution, base: null, effects: new Float64Array(0) };
  }
  const scores = scoreMatrix(fitted.network.preprocessing, rows);
  const reach = Math.min(SOON_WEEKS, intervals);
  const asked = { groups: REPURCHASE_GROUPS, reach };
  return {
    distribution,
    ...(await effectsOf(backend, fitted.network, calibration, scores, asked)),
  };
}
