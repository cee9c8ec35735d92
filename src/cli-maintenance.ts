import type { Command } from "commander";
import { ServiceError, systemClock } from "./base/index.ts";
import { answer, withService } from "./cli-options.ts";
import { readConfig } from "./config.ts";
import { type RebuildReport, rebuildDatabase } from "./customers/index.ts";
import { type Diagnosis, diagnose } from "./doctor.ts";
import { table } from "./text.ts";

interface Flags {
  readonly json?: boolean;
}

/** Commands for when something is wrong: doctor, rebuild. */
export function addMaintenanceCommands(program: Command): void {
  program
    .command("doctor")
    .description("check the database and every file of the store; exit code 6 where one is damaged")
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, async (service) => {
        const diagnosis = await diagnose(service);
        answer(options, diagnosis, () => diagnosisText(diagnosis));
        if (!diagnosis.isWell) {
          throw new ServiceError(
            "damaged",
            `${diagnosis.damaged.length} of the store's files are damaged or missing; put them back from a backup (herkoop backup --verify checks it)`,
          );
        }
      });
    });

  program
    .command("rebuild")
    .description(
      "make a new database from the history files (docs/recovery.md); stop the server first",
    )
    .option(
      "--from <file>",
      "another herkoop.sqlite to take write keys, settings, tombstones and models from, such as that of a backup",
    )
    .option("--leave-out-damaged", "go on without history files that are damaged or missing")
    .option("--json", "answer as JSON")
    .action(
      async (
        options: Flags & { readonly from?: string; readonly leaveOutDamaged?: boolean },
        command: Command,
      ) => {
        const { store } = command.optsWithGlobals<{ store?: string }>();
        const config = readConfig(store === undefined ? {} : { store });
        const report = await rebuildDatabase(systemClock, {
          folder: config.storeFolder,
          from: options.from,
          leaveOutDamaged: options.leaveOutDamaged === true,
        });
        answer(options, report, () => rebuildText(report));
      },
    );
}

function diagnosisText(diagnosis: Diagnosis): string {
  const { isWell, historyFiles, checksumsTaken, damaged, unlisted, quarantined } = diagnosis;
  return [
    isWell
      ? `all is well: the database and ${historyFiles} history files`
      : table(
          ["file", "what is wrong"],
          damaged.map(({ file, damage }) => [file, damage]),
        ),
    ...(checksumsTaken > 0
      ? [`${checksumsTaken} history files had no checksum yet; it was taken now`]
      : []),
    ...(unlisted.length > 0
      ? [`not listed, to be set aside by the next writer: ${unlisted.join(", ")}`]
      : []),
    ...(quarantined.length > 0
      ? [`set aside in quarantine/: ${quarantined.map(({ name }) => name).join(", ")}`]
      : []),
  ].join("\n");
}

function rebuildText(report: RebuildReport): string {
  const { files, rows, customers, numbersKept, imports, messages, leftOut, formerDatabase } =
    report;
  const carried = Object.entries(report.carriedOver ?? {}).filter(([, count]) => count > 0);
  return [
    `a new database from ${files} history files: ${rows} event lines, ${customers} customers (${numbersKept} with the numbers they had), ${imports} imports, ${messages} live messages`,
    report.carriedOver === null
      ? "no earlier database could be read: write keys, settings, tombstones of erased persons and models have to be made again, or give --from"
      : `taken from the earlier database: ${carried.map(([what, count]) => `${count} ${what}`).join(", ") || "nothing"}`,
    ...(leftOut.length > 0 ? [`left out: ${leftOut.join(", ")}`] : []),
    ...(formerDatabase === null ? [] : [`the old database lies in ${formerDatabase}`]),
    'next: "herkoop start", which trains, scores and publishes what is missing',
  ].join("\n");
}
