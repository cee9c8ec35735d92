/** Models: learning from it. Two networks, the baselines they must beat, and the registry. */
export { type Artifact, loadArtifact } from "./artifact.ts";
export {
  type ArtifactFault,
  type ArtifactFile,
  DamagedModel,
  isProbability,
  noProbability,
} from "./artifact-file.ts";
export { artifactFiles, type RegisteredFile, verifyArtifacts } from "./artifact-store.ts";
export { effectsOf } from "./attribution.ts";
export { type Backtest, backtestFile, backtestModel } from "./backtest.ts";
export { backtestFigure } from "./backtest-figure.ts";
export { type BacktestSeries, backtestSeries } from "./backtest-series.ts";
export { calibrate } from "./calibrate.ts";
export { type Dataset, featureColumn } from "./dataset.ts";
export { eachDataset, readDataset } from "./dataset-store.ts";
export { distributionOf, probabilityWithin, sigmoid } from "./distribution.ts";
export type { Interval } from "./evaluate.ts";
export { lastJudgeableCutoff } from "./evaluation.ts";
export {
  type IntentAnswer,
  type IntentReason,
  type OneIntent,
  prepareIntent,
} from "./intent/index.ts";
export { hazardsOf } from "./predictor.ts";
export { scoreMatrix } from "./preprocess.ts";
export { cutPool, type PruningCut, type PruningPoint, type PruningRequest } from "./pruning.ts";
export {
  findChampion,
  getVersion,
  listVersions,
  type ModelVersion,
  openChampionId,
  parseModelName,
} from "./registry-store.ts";
export type { Report } from "./report.ts";
export { describeDamage, loadServing, type Serving } from "./serving-store.ts";
export {
  intentTask,
  MODEL_NAMES,
  type ModelName,
  type ModelTask,
  repurchaseTask,
  type TaskOptions,
} from "./task.ts";
export { describeBackend, loadTensorBackend, type TensorBackend } from "./tensor-backend.ts";
export { trainModel } from "./train.ts";
export type { TrainingContext } from "./training-context.ts";
