import { basename } from "node:path";
import { type Command, Option } from "commander";
import { ServiceError } from "./base/index.ts";
import { answer, withService } from "./cli-options.ts";
import {
  type FileOutcome,
  findFiles,
  type ImportReport,
  importFiles,
  listPresets,
  type MappingChoice,
  presetMapping,
} from "./collection/index.ts";
import { resolveCustomers } from "./customers/index.ts";
import { asWriter, type Service } from "./service.ts";
import { textTable } from "./text.ts";

type Format = "csv" | "jsonl" | "parquet";

interface ImportOptions extends MappingChoice {
  readonly format?: Format;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Commands that bring files in. */
export function addImportCommands(program: Command): void {
  program
    .command("import")
    .description("bring files into the history, and their people to customers")
    .argument("<files...>", "CSV, JSON lines or Parquet files, folders of them, or quoted patterns")
    .option("--mapping <file>", "the mapping from its columns to event fields (docs/mapping.md)")
    .option("--preset <name>", "a mapping that ships (herkoop presets list)")
    .option("--source <name>", "where the rows come from, instead of what the mapping says")
    .option("--region <country>", "where phone numbers without a country code belong, such as NL")
    .addOption(formatOption("what the files are, if their endings do not say"))
    .option("--dry-run", "tell what would happen and change nothing")
    .option("--json", "answer as JSON")
    .action(async (names: string[], options: ImportOptions, command: Command) => {
      await withService(command, options, async (service) => {
        const run = (): Promise<void> => runImport(service, names, options);
        await (options.dryRun === true ? run() : asWriter(service, importName(names), run));
      });
    });
  addPresetCommands(program);
}

/** By the names of files alone, not where they are. */
function importName([first = "", ...others]: readonly string[]): string {
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return `import ${basename(first)}${more}`;
}

async function runImport(
  service: Service,
  names: readonly string[],
  options: ImportOptions,
): Promise<void> {
  const { store, clock, progress } = service;
  const dryRun = options.dryRun === true;
  const { format, ...choice } = options;
  const files = findFiles(names);
  const outcomes = await importFiles(
    store,
    clock,
    { files, choice, dryRun, ...(format === undefined ? {} : { format }) },
    progress,
  );
  const [only] = outcomes;
  if (outcomes.length === 1 && only?.error !== undefined) {
    throw only.error;
  }
  const customers = dryRun ? undefined : await resolveCustomers(store, clock);
  if (outcomes.length === 1 && only?.report !== undefined) {
    const { report } = only;
    answer(options, { ...report, customers }, () => reportText(report, customers?.customers));
    refuseNothing([report]);
    return;
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  answer(options, { ...summaryOf(outcomes), customers }, () =>
    filesText(outcomes, customers?.customers),
  );
  if (failed.length > 0) {
    throw new ServiceError(
      "invalid-input",
      `file: ${failed.length} of ${outcomes.length} files could not be imported`,
      { field: "file" },
    );
  }
  refuseNothing(outcomes.flatMap(({ report }) => (report === undefined ? [] : [report])));
}

/** An import of which every row was rejected is an error, however well it went. */
function refuseNothing(reports: readonly ImportReport[]): void {
  const rejected = reports.reduce((sum, report) => sum + report.rowsRejected, 0);
  const others = reports.reduce((sum, one) => sum + one.rowsAccepted + one.rowsDuplicate, 0);
  if (rejected > 0 && others === 0) {
    throw new ServiceError(
      "invalid-input",
      `file: nothing came in: every one of ${rejected} rows was rejected, for the reasons above`,
      { field: "file" },
    );
  }
}

const TOTALS = [
  "rowsRead",
  "rowsAccepted",
  "rowsDuplicate",
  "rowsChanged",
  "rowsRejected",
  "rowsSkipped",
] as const;

function summaryOf(outcomes: readonly FileOutcome[]): object {
  const reports = outcomes.flatMap(({ report }) => (report === undefined ? [] : [report]));
  const totals = TOTALS.map((name) => [
    name,
    reports.reduce((sum, report) => sum + report[name], 0),
  ]);
  const failed = outcomes.flatMap(({ file, error }) =>
    error === undefined ? [] : [{ file, error: error.message }],
  );
  return { ...(Object.fromEntries(totals) as Record<string, number>), files: reports, failed };
}

function filesText(outcomes: readonly FileOutcome[], customers: number | undefined): string {
  const rows = outcomes.map(({ file, report, error }) =>
    report === undefined
      ? ["", "", "", file, error?.message ?? ""]
      : [
          String(report.rowsRead),
          String(report.rowsAccepted),
          String(report.rowsRejected),
          file,
          report.alreadyImported ? "imported before" : "",
        ],
  );
  return [
    textTable(["read", "accepted", "rejected", "file", ""], rows),
    ...(customers === undefined ? [] : [`${customers} customers`]),
  ].join("\n");
}

function reportText(report: ImportReport, customers: number | undefined): string {
  const counted = (title: string, of: Readonly<Record<string, number>>): string[] => {
    const lines = Object.entries(of).map(([name, count]) => `  ${name}: ${count}`);
    return lines.length === 0 ? [] : [title, ...lines];
  };
  const events = Object.fromEntries(
    Object.entries(report.events).map(([name, count]) => [
      name in report.unknownEvents ? `${name} (no meaning here)` : name,
      count,
    ]),
  );
  const dropped = Object.fromEntries(
    Object.entries(report.identifiersDropped).map(([type, count]) => [
      `${type} (row ${(report.identifiersDroppedRows[type] ?? []).join(", ")})`,
      count,
    ]),
  );
  return [
    headline(report),
    ...counted("events:", events),
    ...counted("channels:", report.channels),
    ...counted("identifiers:", report.identifiers),
    ...counted("identifiers left out, as they can't be one:", dropped),
    ...counted("names nobody:", report.missingIdentifiers),
    ...counted("known after it happened, up to:", report.lateness),
    ...counted("rejected:", report.rejectReasons),
    ...report.emptyColumns.map((column) => `no row has anything in ${column}: is the name right?`),
    ...(report.rejectsFile === null ? [] : [`rejects with their reasons: ${report.rejectsFile}`]),
    ...(customers === undefined ? [] : [`${customers} customers`]),
  ].join("\n");
}

function headline(report: ImportReport): string {
  const { rowsRead, rowsAccepted, rowsDuplicate, rowsRejected, rowsSkipped, rowsChanged } = report;
  const counts = [
    `${rowsRead} rows read`,
    `${rowsAccepted} accepted`,
    `${rowsDuplicate} already known${rowsChanged > 0 ? ` (${rowsChanged} of them with other content, which is not taken over)` : ""}`,
    `${rowsRejected} rejected`,
    ...(rowsSkipped > 0 ? [`${rowsSkipped} the mapping makes nothing of`] : []),
  ];
  const done = `${report.dryRun ? "would import" : "imported"} ${report.file} as source ${report.source}: ${counts.join(", ")}`;
  return report.alreadyImported
    ? `${done}\nthis very file with this mapping was imported before: nothing changed`
    : done;
}

function addPresetCommands(program: Command): void {
  const presets = program.command("presets").description("mappings that ship with Herkoop");
  presets
    .command("list")
    .description("every preset and what it reads")
    .option("--json", "answer as JSON")
    .action((options: { json?: boolean }) => {
      const list = listPresets();
      answer(options, list, () =>
        textTable(
          ["preset", "format", "reads"],
          list.map(({ name, format, description }) => [name, format, description]),
        ),
      );
    });
  presets
    .command("show")
    .description("the mapping as JSON, to change and import with --mapping")
    .argument("<name>", "the preset")
    .addOption(formatOption("of which format, where there are several"))
    .action((name: string, { format }: { format?: Format }) => {
      answer({ json: true }, presetMapping(name, format), () => "");
    });
}

function formatOption(description: string): Option {
  return new Option("--format <format>", description).choices(["csv", "jsonl", "parquet"]);
}
