import { renameSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  type DuckDb,
  literal,
  makeOutputFolder,
  nearest,
  ServiceError,
  type SqlValue,
  shareOutput,
  toIso,
} from "../base/index.ts";
import { identitySql } from "../customers/index.ts";
import type { Evaluation } from "./evaluation.ts";
import { drawFigures } from "./intent/figures-svg.ts";
import { backtestIntent } from "./intent/train-intent.ts";
import type { Report } from "./report.ts";
import type { ModelTask } from "./task.ts";
import { evaluatePrepared, prepareRows } from "./train.ts";
import type { TrainingContext } from "./training-context.ts";

export interface BacktestRequest {
  /** The instant to stand at, epoch ms: nothing known at or after it is learned from. */
  readonly cutoff: number;
  /** Where the predictions go: `.parquet` or `.csv`. */
  readonly file: string;
  /** Whose predictions are written. */
  readonly system?: string;
  /** Also writes the feature rows (train.parquet, test.parquet) into this folder. */
  readonly rowsFolder?: string;
}

export interface Backtest {
  readonly report: Report;
  readonly file: string;
  readonly rows: number;
}

/**
 * Trains on what was known before the cutoff, predicts as of it, and writes one row per prediction:
 * `customer` (the source's id), `product`, `cutoff`, and `p_week_1` .. `p_week_H`, `p_later` with
 * `label_week` (1..H, 0 for later or never), or `p_order` with `label`. Labels are NULL where the
 * data end before the horizon does.
 */
export async function backtestModel(
  context: TrainingContext,
  task: ModelTask,
  request: BacktestRequest,
): Promise<Backtest> {
  const file = resolve(request.file);
  if (!/\.(csv|parquet)$/.test(file)) {
    throw new ServiceError(
      "invalid-input",
      `out: expected a name ending in .parquet or .csv, got "${request.file}"`,
      { field: "out" },
    );
  }
  const fromVisits =
    task.visits === undefined
      ? undefined
      : await backtestIntent(context, task.service, task.visits, {
          cutoff: request.cutoff,
          file,
          ...(request.system === undefined ? {} : { system: request.system }),
        });
  if (fromVisits !== undefined) {
    const stem = file.replace(/\.(csv|parquet)$/, "");
    for (const figure of await drawFigures(fromVisits.report, stem)) {
      shareOutput(context.store.folder, figure);
    }
    return fromVisits;
  }
  const prepared = await prepareRows(context, task, {
    lastTest: request.cutoff,
    judgedAt: context.asOf,
  });
  const duckdb = await context.store.openDuckDb({ memoryLimitMiB: 600 });
  try {
    const { evaluation } = await evaluatePrepared(context, task, duckdb, prepared);
    await writePredictions(duckdb, context, task, evaluation, {
      file,
      system: request.system ?? "network",
    });
    if (request.rowsFolder !== undefined) {
      const folder = resolve(request.rowsFolder);
      makeOutputFolder(context.store.folder, folder);
      for (const name of await exportRows(duckdb, prepared.rowsFile, evaluation.report, folder)) {
        shareOutput(context.store.folder, name);
      }
    }
    return { report: evaluation.report, file, rows: evaluation.test.rows };
  } finally {
    duckdb.close();
  }
}

async function writePredictions(
  duckdb: DuckDb,
  context: TrainingContext,
  task: ModelTask,
  { test, tested }: Evaluation,
  target: { readonly file: string; readonly system: string },
): Promise<void> {
  const chosen = tested.get(target.system);
  if (chosen === undefined) {
    throw new ServiceError(
      "invalid-input",
      `system: there is no system "${target.system}"; nearest: ${nearest(target.system, [...tested.keys()]).join(", ")}`,
      { field: "system" },
    );
  }
  const { intervals } = task;
  const isIntent = task.model === "conversion-intent";
  const probabilities = isIntent
    ? ["p_order"]
    : [...Array.from({ length: intervals }, (_, week) => `p_week_${week + 1}`), "p_later"];
  const labelName = isIntent ? "label" : "label_week";
  await duckdb.run(
    `CREATE TEMP TABLE written (customer_id DOUBLE, product VARCHAR, cutoff_ms DOUBLE, ${probabilities
      .map((name) => `${name} DOUBLE`)
      .join(", ")}, ${labelName} DOUBLE)`,
  );
  const label = (row: number): SqlValue => {
    const event = test.events[row] ?? -1;
    if ((test.observed[row] ?? 0) < intervals) {
      return null;
    }
    return event < 0 ? 0 : event + 1;
  };
  const rows = function* (): Generator<SqlValue[]> {
    for (let row = 0; row < test.rows; row++) {
      const from = row * (intervals + 1);
      const values = chosen.distribution.subarray(from, from + probabilities.length);
      yield [
        test.customers[row] ?? null,
        test.products[row] ?? null,
        test.cutoffs[row] ?? null,
        ...values,
        label(row),
      ];
    }
  };
  await duckdb.append("written", rows());
  makeOutputFolder(context.store.folder, dirname(target.file));
  const partial = `${target.file}.partial`;
  const product = isIntent ? "" : "w.product,";
  await duckdb.run(
    `COPY (
       SELECT i.customer, ${product} make_timestamp(CAST(w.cutoff_ms AS BIGINT) * 1000) AS cutoff,
              ${probabilities.map((name) => `w.${name}`).join(", ")}, CAST(w.${labelName} AS INTEGER) AS ${labelName}
       FROM written w JOIN (
         SELECT customer_id, coalesce(min(CASE WHEN type = 'user_id' THEN value END), min(value)) AS customer
         FROM ${identitySql(context.store)} GROUP BY customer_id) i ON i.customer_id = w.customer_id
       ORDER BY w.cutoff_ms, i.customer ${isIntent ? "" : ", w.product"}
     ) TO ${literal(partial)} (FORMAT ${target.file.endsWith(".csv") ? "csv, HEADER" : "parquet, COMPRESSION zstd"})`,
  );
  shareOutput(context.store.folder, partial);
  renameSync(partial, target.file);
}

/** The rows that systems learned from and were judged on, for peers to use: NULL is unknown. Returns the files. */
async function exportRows(
  duckdb: DuckDb,
  rowsFile: string,
  report: Report,
  folder: string,
): Promise<string[]> {
  await duckdb.run("SET preserve_insertion_order = false");
  const copy = async (name: string, cutoffs: readonly string[], label: number): Promise<string> => {
    const file = join(folder, `${name}.parquet`);
    const instants = cutoffs.map((iso) => Date.parse(iso)).join(", ");
    await duckdb.run(
      `COPY (SELECT * EXCLUDE (${[0, 1, 2].flatMap((i) => [`event_interval_${i}`, `observed_intervals_${i}`]).join(", ")}),
               event_interval_${label} AS event_interval, observed_intervals_${label} AS observed_intervals
             FROM read_parquet(${literal(rowsFile)}) WHERE cutoff_ms IN (${instants}))
       TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    return file;
  };
  return [
    await copy("train", report.trainingCutoffs, 1),
    await copy("calibration", report.calibrationCutoffs, 1),
    await copy("test", report.testCutoffs, 2),
  ];
}

/** A name for a back-test's predictions inside the store. */
export function backtestFile(folder: string, task: ModelTask, cutoff: number): string {
  return join(folder, `${task.model}-${toIso(cutoff).slice(0, 10)}.parquet`);
}
