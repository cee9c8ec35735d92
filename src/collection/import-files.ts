import { basename } from "node:path";
import { type Clock, isBusy, type Progress, ServiceError, type Store } from "../base/index.ts";
import { formatOf } from "./find-files.ts";
import { type ImportReport, importFile } from "./import-file.ts";
import { type Mapping, parseMapping, readMappingText } from "./mapping.ts";
import { presetMapping } from "./preset.ts";
import type { FileFormat } from "./row-sql.ts";

/** Which mapping to read with: a file of one's own, or a preset by the format of each file. */
export interface MappingChoice {
  readonly mapping?: string;
  readonly preset?: string;
  /** Instead of the mapping's own. */
  readonly source?: string;
  readonly region?: string;
}

/** The mapping for a format. Throws a ServiceError unless exactly one of mapping and preset is given. */
function chooseMapping(choice: MappingChoice, format?: FileFormat): Mapping {
  const { mapping, preset, source, region } = choice;
  if ((mapping === undefined) === (preset === undefined)) {
    throw new ServiceError("invalid-input", "mapping: expected either --mapping or --preset", {
      field: "mapping",
    });
  }
  const given =
    mapping === undefined ? presetMapping(preset ?? "", format) : readMappingText(mapping);
  return parseMapping(
    {
      ...given,
      ...(source === undefined ? {} : { source }),
      ...(region === undefined ? {} : { region }),
    },
    mapping ?? `preset ${preset ?? ""}`,
  );
}

/** What came of one of several files. */
export interface FileOutcome {
  readonly file: string;
  /** Undefined where it could not be imported, for the reason in `error`. */
  readonly report?: ImportReport;
  readonly error?: ServiceError;
}

/**
 * Imports files one after the other, each remembered on its own. One that can't be imported is told of
 * and the rest goes on; what is no fault of a file (a full disk, a busy store) ends it all.
 */
export async function importFiles(
  store: Store,
  clock: Clock,
  request: {
    readonly files: readonly string[];
    readonly choice: MappingChoice;
    readonly format?: FileFormat;
    readonly dryRun: boolean;
  },
  progress: Progress,
): Promise<FileOutcome[]> {
  const outcomes: FileOutcome[] = [];
  const { files, choice, dryRun } = request;
  // What is wrong with every file is said once, before any is read.
  chooseMapping(choice);
  for (const file of files) {
    const step = progress.begin(`import ${basename(file)}`);
    try {
      const format = request.format ?? formatOf(file);
      const mapping = chooseMapping(choice, format);
      const report = await importFile(store, clock, { file, mapping, format, dryRun }, step);
      step.end(`${report.rowsAccepted} lines`);
      outcomes.push({ file, report });
    } catch (error) {
      if (!(error instanceof ServiceError) || isBusy(error)) {
        throw error;
      }
      step.end("not imported");
      outcomes.push({ file, error });
    }
  }
  return outcomes;
}
