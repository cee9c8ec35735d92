import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type ProgressMessage, relayProgress, ServiceError, toIso } from "./base/index.ts";
import { historyFiles, historySummary } from "./collection/index.ts";
import { samplePaths } from "./config.ts";
import { findChampion, MODEL_NAMES, type ModelName } from "./models/index.ts";
import { currentRun } from "./predictions/index.ts";
import { listAudiences } from "./segments/index.ts";
import { type Service, trainingContext } from "./service.ts";

/**
 * The main job: from an empty store to published audiences. Each stage is skipped where its result is
 * there, so that a start after an interruption goes on where it stopped, and a second one does
 * nothing. Stages run in processes of their own, the two trainings side by side; what they used is
 * given back before the API serves.
 */
export async function runMainJob(service: Service): Promise<void> {
  if (historySummary(service.store).rows === 0) {
    const { file, mapping } = samplePaths(service.config);
    await runStage(service, ["import", file, "--mapping", mapping]);
  } else if (historyFiles(service.store, "unresolved").length > 0) {
    await runStage(service, ["resolve"]);
  }
  const { asOf } = trainingContext(service);
  const untrained = MODEL_NAMES.filter(
    (model) => findChampion(service.store, model)?.asOf !== toIso(asOf),
  );
  await Promise.all(untrained.map((model) => runStage(service, ["train", model])));
  const unscored = MODEL_NAMES.filter((model) => !isScored(service, model));
  await Promise.all(unscored.map((model) => runStage(service, ["score", model])));
  if (!areAudiencesCurrent(service)) {
    await runStage(service, ["audiences", "--refresh", "--out", service.store.path("audiences")]);
  }
}

function isScored(service: Service, model: ModelName): boolean {
  const champion = findChampion(service.store, model);
  const run = currentRun(service.store, model);
  return champion !== undefined && run?.modelVersion === champion.id && run.asOf === champion.asOf;
}

function areAudiencesCurrent(service: Service): boolean {
  const audiences = listAudiences(service.store);
  return MODEL_NAMES.every((model) => {
    const run = currentRun(service.store, model);
    return audiences.some(
      (audience) => audience.modelVersion === run?.modelVersion && audience.asOf === run.asOf,
    );
  });
}

const CLI = fileURLToPath(new URL("./cli.ts", import.meta.url));

/** Runs a command in a process of its own and waits; its progress is shown here, its error is thrown here. */
async function runStage(service: Service, args: readonly string[]): Promise<void> {
  const child = fork(CLI, ["--store", service.config.storeFolder, ...args], {
    env: {
      HERKOOP_MODELS: service.config.modelsFolder,
      HERKOOP_LOG_LEVEL: service.config.logLevel,
    },
    execArgv: ["--import", import.meta.resolve("tsx")],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const relay = relayProgress(service.progress);
  child.on("message", (message) => {
    relay(message as ProgressMessage);
  });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-4000);
  });
  const forward = stopWithParent(child);
  const code = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  forward();
  if (code !== 0) {
    throw stageError(args.slice(0, 2).join(" "), code, complaint.trim());
  }
}

function stageError(stage: string, code: number | null, complaint: string): ServiceError {
  if (code === null || code === 130) {
    return new ServiceError("cancelled", `${stage} was stopped; the next start goes on from here`);
  }
  // Another process writes to the store: that is no fault of the stage.
  return new ServiceError(code === 4 ? "conflict" : "not-ready", `${stage} failed:\n${complaint}`);
}

/** Passes a signal on; a stage that computes may be slow to hear the first, and does not outlive the second. */
function stopWithParent(child: ChildProcess): () => void {
  let isStopping = false;
  const stop = (): void => {
    child.kill(isStopping ? "SIGKILL" : "SIGTERM");
    isStopping = true;
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  };
}
