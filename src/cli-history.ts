import type { Command } from "commander";
import { answer, withService } from "./cli-options.ts";
import { exportRefunds } from "./collection/index.ts";

interface Flags {
  readonly json?: boolean;
}

/** Commands about the history: refunds. */
export function addHistoryCommands(program: Command): void {
  program
    .command("refunds")
    .description("write every refund, with the order line it cancels, as Parquet")
    .requiredOption("--out <file>", "the Parquet file to write")
    .option("--json", "answer as JSON")
    .action(async (options: Flags & { out: string }, command: Command) => {
      await withService(command, options, async ({ store }) => {
        const rows = await exportRefunds(store, options.out);
        answer(options, { file: options.out, rows }, () => `${rows} rows in ${options.out}`);
      });
    });
}
