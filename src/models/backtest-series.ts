import { DAY_MS, ServiceError, toIso } from "../base/index.ts";
import { probabilityWithin } from "./distribution.ts";
import type { Interval } from "./evaluate.ts";
import type { TestedSystem } from "./evaluation.ts";
import { TOP_SHARES, type WeekLift, weekLifts } from "./lift.ts";
import { type ReliabilityBin, reliability } from "./metrics.ts";
import type { Report } from "./report.ts";
import type { ModelTask } from "./task.ts";
import { evaluatePrepared, prepareRows } from "./train.ts";
import type { TrainingContext } from "./training-context.ts";

/** One system over all runs: mean, and the lowest and the highest run, of every figure. */
export interface SeriesSystem {
  readonly metrics: Readonly<Record<string, Interval>>;
  readonly weeks: readonly {
    readonly week: number;
    readonly top: number;
    readonly hitRate: Interval;
    readonly lift: Interval;
  }[];
  /** Of P(within 4 weeks), the bins of all runs. */
  readonly reliability: readonly ReliabilityBin[];
}

/** Back-tests at several cutoffs, each with several seeds. Instants as ISO 8601. */
export interface BacktestSeries {
  readonly model: string;
  readonly cutoffs: readonly string[];
  readonly seeds: readonly number[];
  readonly runs: number;
  /** How many runs each system would have served after. */
  readonly champions: Readonly<Record<string, number>>;
  readonly systems: Readonly<Record<string, SeriesSystem>>;
  readonly reports: readonly Report[];
}

interface Run {
  readonly report: Report;
  readonly systems: ReadonlyMap<
    string,
    { readonly lifts: readonly WeekLift[]; readonly bins: readonly ReliabilityBin[] }
  >;
}

/**
 * Back-tests at `cutoffs` cutoffs, the last at `last` (epoch ms) and a step apart, with the seeds from the task's
 * on. Throws `invalid-input` where the data end before a horizon does: without labels there are no figures.
 */
export async function backtestSeries(
  context: TrainingContext,
  task: ModelTask,
  {
    last,
    cutoffs,
    seeds,
  }: { readonly last: number; readonly cutoffs: number; readonly seeds: number },
): Promise<BacktestSeries> {
  const instants = Array.from(
    { length: cutoffs },
    (_, index) => last - (cutoffs - 1 - index) * task.stepDays * DAY_MS,
  );
  const numbers = Array.from({ length: seeds }, (_, index) => task.settings.seed + index);
  const runs: Run[] = [];
  for (const cutoff of instants) {
    const prepared = await prepareRows(context, task, { lastTest: cutoff, judgedAt: context.asOf });
    for (const seed of numbers) {
      const duckdb = await context.store.openDuckDb({ memoryLimitMiB: 600 });
      try {
        const seeded = { ...task, settings: { ...task.settings, seed } };
        const { evaluation } = await evaluatePrepared(context, seeded, duckdb, prepared);
        const { report, test, tested } = evaluation;
        if (report.reliability.length === 0) {
          throw new ServiceError(
            "invalid-input",
            `cutoff: the data end before the horizon of ${toIso(cutoff)} does, so there is nothing to judge by`,
            { field: "cutoff" },
          );
        }
        const told = (
          one: TestedSystem,
        ): readonly [string, { lifts: WeekLift[]; bins: ReliabilityBin[] }] => {
          const { intervals } = task;
          const reach = Math.min(4, intervals);
          const soon = probabilityWithin(one.distribution, intervals, 0, reach);
          const y = Uint8Array.from(test.events, (event) => (event >= 0 && event < reach ? 1 : 0));
          return [
            one.system.name,
            { lifts: weekLifts(test, one.distribution, intervals), bins: reliability(soon, y) },
          ];
        };
        runs.push({ report, systems: new Map([...tested.values()].map(told)) });
      } finally {
        duckdb.close();
      }
    }
  }
  return seriesOf(task, instants, numbers, runs);
}

function seriesOf(
  task: ModelTask,
  instants: readonly number[],
  seeds: readonly number[],
  runs: readonly Run[],
): BacktestSeries {
  const champions: Record<string, number> = {};
  for (const { report } of runs) {
    champions[report.champion] = (champions[report.champion] ?? 0) + 1;
  }
  const names = Object.keys(runs[0]?.report.systems ?? {});
  return {
    model: task.model,
    cutoffs: instants.map(toIso),
    seeds,
    runs: runs.length,
    champions,
    systems: Object.fromEntries(names.map((name) => [name, systemOf(task, name, runs)])),
    reports: runs.map(({ report }) => report),
  };
}

function systemOf(task: ModelTask, name: string, runs: readonly Run[]): SeriesSystem {
  const reports = runs.map(({ report }) => report.systems[name]?.metrics ?? {});
  const metrics = Object.keys(reports[0] ?? {}).map(
    (metric) => [metric, rangeOf(reports.map((one) => one[metric] ?? Number.NaN))] as const,
  );
  const told = runs.flatMap(({ systems }) => systems.get(name) ?? []);
  const weeks = Array.from({ length: task.intervals * TOP_SHARES.length }, (_, index) => {
    const cells = told.flatMap(({ lifts }) => lifts[index] ?? []);
    return {
      week: cells[0]?.week ?? 0,
      top: cells[0]?.top ?? 0,
      hitRate: rangeOf(cells.map(({ hitRate }) => hitRate)),
      lift: rangeOf(cells.map(({ lift }) => lift)),
    };
  });
  return {
    metrics: Object.fromEntries(metrics),
    weeks,
    reliability: told.flatMap(({ bins }) => bins),
  };
}

/** The mean, and the lowest and the highest. */
function rangeOf(values: readonly number[]): Interval {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, low: Math.min(...values), high: Math.max(...values) };
}
