import type { Command } from "commander";
import { toIso } from "./base/index.ts";
import { answer, readJson, withService } from "./cli-options.ts";
import {
  compactHistory,
  declareRetention,
  exportRefunds,
  readRetention,
} from "./collection/index.ts";
import { applyRetention, asWriter } from "./service.ts";
import { table } from "./text.ts";

interface Flags {
  readonly json?: boolean;
}

/** Commands about the history's files: compact, refunds, retention. */
export function addHistoryCommands(program: Command): void {
  program
    .command("compact")
    .description("merge small history files (a server does it after it seals)")
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, (service) =>
        asWriter(service, "compact", async () => {
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

  addRetentionCommands(program);
}

function addRetentionCommands(program: Command): void {
  const retention = program
    .command("retention")
    .description("how long events are kept (docs/collection.md)");

  retention
    .command("show")
    .description("the policy that holds, as JSON")
    .action(async (_options: Flags, command: Command) => {
      await withService(command, {}, ({ store }) => {
        answer({ json: true }, readRetention(store).policy, () => "");
        return Promise.resolve();
      });
    });

  retention
    .command("set")
    .description("declare a policy; nothing goes before it is run")
    .argument("<file>", "the policy as JSON")
    .action(async (file: string, _options: Flags, command: Command) => {
      await withService(command, {}, ({ store, clock }) => {
        answer(
          { json: true },
          declareRetention(store, clock, readJson(file, "file", "file")),
          () => "",
        );
        return Promise.resolve();
      });
    });

  retention
    .command("run")
    .description("take away what the policy keeps no longer")
    .option("--dry-run", "count, and change nothing")
    .option("--json", "answer as JSON")
    .action(async (options: Flags & { dryRun?: boolean }, command: Command) => {
      await withService(command, options, (service) =>
        asWriter(service, "retention run", async () => {
          const report = await applyRetention(service, { dryRun: options.dryRun === true });
          answer(options, report, () => retentionText(report));
        }),
      );
    });
}

function retentionText(report: Awaited<ReturnType<typeof applyRetention>>): string {
  const verb = report.dryRun ? "would go" : "gone";
  return [
    table(
      ["rule", "keep", "kept from", `event lines ${verb}`],
      report.rules.map(({ name, keep, keptFrom, rows }) => [
        name,
        keep,
        toIso(keptFrom),
        String(rows),
      ]),
    ),
    `${report.rejectedMessages} rejected messages and ${report.rejectsFiles} files of rejects ${verb}; ${report.quarantinedFiles} files set aside ${verb}; ${report.filesRewritten} history files rewritten`,
    ...(report.visitors === undefined
      ? []
      : [`${report.visitors} visitors and ${report.recentLines ?? 0} lines of timelines gone`]),
  ].join("\n");
}
