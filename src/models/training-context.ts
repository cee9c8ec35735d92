import type { Clock, Logger, Progress, Store } from "../base/index.ts";
import type { Artifact } from "./artifact.ts";
import type { Report } from "./report.ts";

export interface TrainingContext {
  readonly store: Store;
  readonly modelsFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: Progress;
  /** The instant that counts as now, epoch ms; nothing known later is seen. */
  readonly asOf: number;
}

export interface Trained {
  readonly artifact: Artifact;
  readonly report: Report;
}
