import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  type Clock,
  makeOutputFolder,
  type Progress,
  ServiceError,
  type Store,
} from "../base/index.ts";
import { historySummary } from "../collection/index.ts";
import type { BuildDescription } from "./feature-build-store.ts";
import {
  checkFeatureFile,
  type Dictionary,
  publishFeatureFile,
  recordFeatureFile,
} from "./feature-file.ts";
import type { FeatureService } from "./feature-service.ts";
import { type HistoricalRows, writeHistoricalRows } from "./historical-rows.ts";
import { openOfflineStore } from "./offline-store.ts";
import type { Spine } from "./rows-sql.ts";
import { spineText } from "./spine-text.ts";

/** What exports work with. */
export interface ExportContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly progress: Progress;
}

export interface ExportRequest {
  readonly service: FeatureService;
  /** Epoch ms. */
  readonly cutoffs: readonly number[];
  readonly spine: Spine;
  /** Parquet or CSV, by its name. */
  readonly file: string;
}

/** Writes a service's features of everybody (or of a part) at cutoffs, with their dictionary, and records the build. */
export async function exportFeatures(
  { store, clock, progress }: ExportContext,
  { service, cutoffs, spine, file }: ExportRequest,
): Promise<Dictionary> {
  return throughTemporary(store, file, async (temporary) => {
    const step = progress.begin(`${service.name}: features`);
    const offline = await openOfflineStore(store);
    const { facts } = offline;
    try {
      const rows = await offline.build({ service, cutoffs, spine, file: temporary }, step.update);
      step.end(`${rows} rows at ${cutoffs.length} cutoffs`);
    } finally {
      offline.close();
    }
    return publishFeatureFile(store, clock, temporary, file, {
      service,
      purpose: "export",
      spine: spineText(spine),
      ...spanOf(cutoffs),
      dataThrough: dataThrough(store),
      facts,
    });
  });
}

/** Writes a file's rows with a service's features at each row's own instant, with their dictionary, and records the build. */
export async function exportHistoricalRows(
  { store, clock, progress }: ExportContext,
  request: {
    readonly service: FeatureService;
    readonly rows: string;
    readonly file: string;
    readonly region?: string;
  },
): Promise<{ readonly report: HistoricalRows; readonly dictionary: Dictionary }> {
  const { service, file, rows } = request;
  if (resolve(rows) === resolve(file)) {
    throw new ServiceError(
      "invalid-input",
      `out: expected another file than the rows', got ${file}`,
      {
        field: "out",
      },
    );
  }
  return throughTemporary(store, file, async (temporary) => {
    const step = progress.begin(`${service.name}: historical rows`);
    const report = await writeHistoricalRows(store, { ...request, file: temporary }, step);
    step.end(`${report.rows} rows, ${report.unknownRows} of them of nobody known`);
    const dictionary = await publishFeatureFile(store, clock, temporary, file, {
      service,
      purpose: "rows",
      spine: "given rows",
      firstCutoff: report.firstCutoff,
      lastCutoff: report.lastCutoff,
      cutoffCount: report.cutoffs,
      dataThrough: dataThrough(store),
      facts: report.facts,
    });
    return { report, dictionary };
  });
}

/** Records the build of rows (Parquet) that training or scoring made for itself. */
export async function recordBuiltRows(
  { store, clock }: Pick<ExportContext, "store" | "clock">,
  purpose: "training" | "scoring",
  { service, cutoffs, spine, file, facts }: ExportRequest & { readonly facts: string },
): Promise<void> {
  await recordFeatureFile(store, clock, file, {
    service,
    purpose,
    spine: spineText(spine),
    ...spanOf(cutoffs),
    dataThrough: dataThrough(store),
    facts,
  });
}

function spanOf(
  cutoffs: readonly number[],
): Pick<BuildDescription, "firstCutoff" | "lastCutoff" | "cutoffCount"> {
  return {
    firstCutoff: cutoffs.length === 0 ? null : Math.min(...cutoffs),
    lastCutoff: cutoffs.length === 0 ? null : Math.max(...cutoffs),
    cutoffCount: cutoffs.length,
  };
}

function dataThrough(store: Store): number | null {
  return historySummary(store).lastOccurredAt;
}

async function throughTemporary<T>(
  store: Store,
  file: string,
  work: (temporary: string) => Promise<T>,
): Promise<T> {
  checkFeatureFile(file);
  makeOutputFolder(store.folder, dirname(file));
  const temporary = join(store.path("temporary"), "export.parquet");
  try {
    return await work(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}
