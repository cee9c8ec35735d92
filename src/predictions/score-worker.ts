import { parentPort, workerData } from "node:worker_threads";
import {
  type ArtifactFile,
  type Dataset,
  loadArtifact,
  loadTensorBackend,
  type ModelName,
} from "../models/index.ts";
import { type ScoredRows, scoreRows } from "./score-rows.ts";

/** What a scoring thread is told at its start. */
export interface ScoringThread {
  readonly modelsFolder: string;
  readonly model: ModelName;
  readonly versionId: string;
  /** As they must be. */
  readonly files?: readonly ArtifactFile[];
}

const { modelsFolder, model, versionId, files } = workerData as ScoringThread;
const artifact = loadArtifact(modelsFolder, model, versionId, files);
const backend = await loadTensorBackend();

parentPort?.on("message", (rows: Dataset) => {
  void scoreRows(backend, artifact, rows).then((scored: ScoredRows) => {
    parentPort?.postMessage(scored);
  });
});
