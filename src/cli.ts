import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import {
  busyInWords,
  createPrivately,
  type ErrorCode,
  messageOf,
  ServiceError,
  systemError,
} from "./base/index.ts";
import { addAudienceCommands } from "./cli-audiences.ts";
import { addCollectionCommands } from "./cli-collection.ts";
import { addCustomerCommands } from "./cli-customers.ts";
import { addDataCommands } from "./cli-data.ts";
import { addDuplicateCommands } from "./cli-duplicates.ts";
import { addFeatureCommands } from "./cli-features.ts";
import { addHistoryCommands } from "./cli-history.ts";
import { addMaintenanceCommands } from "./cli-maintenance.ts";
import { addModelCommands } from "./cli-models.ts";
import { addPredictionCommands } from "./cli-predictions.ts";
import { yieldWhileComputing } from "./cli-priority.ts";
import { addReceiptCommands } from "./cli-receipts.ts";
import { addRightsCommands } from "./cli-rights.ts";
import { addServeCommands } from "./cli-serve.ts";
import { refuseUnknownCommand } from "./cli-unknown.ts";

const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  "invalid-input": 2,
  unauthorized: 2,
  forbidden: 7,
  misdirected: 2,
  "method-not-allowed": 2,
  "too-large": 2,
  overloaded: 3,
  "timed-out": 3,
  "not-ready": 3,
  conflict: 4,
  damaged: 6,
  busy: 4,
  "not-found": 5,
  cancelled: 130,
};

const { version: VERSION } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as { readonly version: string };

/** The command line: `herkoop <command>`; answers on standard output, progress and errors on standard error. */
export function createProgram(): Command {
  const program = new Command("herkoop")
    .version(VERSION)
    .description("Who will buy now, and who is back in the market for what, in which week.")
    .addOption(new Option("--store <folder>", "where the shop's data live (also HERKOOP_STORE)"))
    .showHelpAfterError("(add --help for the options)")
    .exitOverride()
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 a fault of ours, 2 unusable input, 3 not ready (what is missing is said), 4 conflict (or another process is writing: try again), 5 not found, 6 damaged files (herkoop doctor names them), 7 the person denied it, 130 stopped.",
    );
  addServeCommands(program);
  addDataCommands(program);
  addCollectionCommands(program);
  addCustomerCommands(program);
  addRightsCommands(program);
  addReceiptCommands(program);
  addDuplicateCommands(program);
  addHistoryCommands(program);
  addMaintenanceCommands(program);
  addFeatureCommands(program);
  addModelCommands(program);
  addPredictionCommands(program);
  addAudienceCommands(program);
  yieldWhileComputing(program);
  return program;
}

async function main(): Promise<number> {
  try {
    const program = createProgram();
    refuseUnknownCommand(program, process.argv.slice(2));
    await program.parseAsync(process.argv);
    return 0;
  } catch (thrown) {
    const error = systemError(busyInWords(thrown), "this machine") ?? busyInWords(thrown);
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : 2;
    }
    if (error instanceof ServiceError) {
      console.error(`herkoop: ${error.message}`);
      return EXIT_CODES[error.code];
    }
    console.error(error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error));
    return 1;
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // What is unfinished is in temporary files and open transactions: stopping at once loses nothing.
  process.once(signal, () => {
    if (process.listenerCount(signal) === 0) {
      process.exit(130);
    }
  });
}

// A reader that has seen enough (head, less) closes the pipe.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

// A stage whose parent is gone (killed, even) must not go on writing behind the next start's back.
const stopWithParent = (): void => {
  process.exit(EXIT_CODES.cancelled);
};
process.once("disconnect", stopWithParent);

createPrivately();
process.exitCode = await main();
process.off("disconnect", stopWithParent);
if (process.connected) {
  process.disconnect();
}
