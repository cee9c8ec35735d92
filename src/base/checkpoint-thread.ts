import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";

const PASSES_MAX = 10;
/** So few pages of the log are moved in a moment. */
const PAGES_LEFT = 200;

interface Checkpoint {
  readonly log: number;
  readonly checkpointed: number;
}

const { file } = workerData as { readonly file: string };
const database = new Database(file, { fileMustExist: true });

function run(): void {
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const [done] = database.pragma("wal_checkpoint(PASSIVE)") as Checkpoint[];
    if (done === undefined || done.log - done.checkpointed <= PAGES_LEFT) {
      return;
    }
  }
}

parentPort?.on("message", (message: "run" | "close") => {
  if (message === "run") {
    run();
    parentPort?.postMessage("done");
  } else {
    database.close();
    parentPort?.close();
  }
});
