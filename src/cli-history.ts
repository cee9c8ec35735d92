import type { Command } from "commander";
import { answer, withService } from "./cli-options.ts";
import { compactHistory, exportRefunds } from "./collection/index.ts";
import { asWriter } from "./service.ts";

interface Flags {
  readonly json?: boolean;
}

/** Commands about the history's files: compact, refunds. */
export function addHistoryCommands(program: Command): void {
  program
    .command("compact")
    .description("merge small history files (a server does it after it seals)")
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, (service) =>
        asWriter(service, async () => {
          const report = await compactHistory(service.store);
          answer(
            options,
            report,
            () =>
              `${report.filesBefore} history files became ${report.filesAfter}, ${report.rowsRewritten} event lines written anew; ${report.filesRetired} old files are still read`,
          );
        }),
      );
    });

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
