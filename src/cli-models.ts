import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { parseInstant, ServiceError, shareOutput, toIso } from "./base/index.ts";
import { answer, spans, wholeNumber, withService } from "./cli-options.ts";
import { historySummary } from "./collection/index.ts";
import { writeIdentity } from "./customers/index.ts";
import {
  type BacktestSeries,
  backtestFigure,
  backtestFile,
  backtestModel,
  backtestSeries,
  lastJudgeableCutoff,
  MODEL_NAMES,
  type ModelName,
  parseModelName,
  trainModel,
} from "./models/index.ts";
import { scoreAll } from "./predictions/index.ts";
import { type Service, taskOf, trainingContext } from "./service.ts";
import { reportTable, seriesText } from "./text.ts";

interface TaskFlags {
  readonly horizon?: number;
  readonly horizons?: readonly number[];
  readonly mainHorizon?: number;
  readonly minPurchases?: number;
  readonly poolDays?: number;
  readonly seed?: number;
  readonly maxRows?: number;
  readonly maxCutoffs?: number;
  readonly completeLabels?: boolean;
  readonly asOf?: string;
  readonly json?: boolean;
}

interface BacktestFlags extends TaskFlags {
  readonly cutoff?: string;
  readonly out?: string;
  readonly system: string;
  readonly exportRows?: string;
  readonly cutoffs?: number;
  readonly seeds?: number;
  readonly figure?: string;
  readonly systems?: readonly string[];
}

/** Commands about models: train, backtest, score. */
export function addModelCommands(program: Command): void {
  withTaskOptions(
    program
      .command("train")
      .description(
        "train a model (both unless named), judge it against its baselines, make the winner the champion",
      )
      .argument("[model]", MODEL_NAMES.join(" or ")),
  ).action(async (name: string | undefined, options: TaskFlags, command: Command) => {
    await withService(command, options, async (service) => {
      await writeIdentity(service.store, service.clock);
      const context = trainingContext(service, asOfOption(service, options));
      const answers: Awaited<ReturnType<typeof trainModel>>[] = [];
      for (const model of modelsOf(name)) {
        answers.push(
          await trainModel(
            context,
            await taskOf(service, model, taskOptions(model, options), context.asOf),
          ),
        );
      }
      const value = answers.map(({ artifact, report }) => ({
        modelVersion: artifact.id,
        trainingRows: artifact.trainingRows,
        report,
      }));
      answer(options, value, () =>
        answers
          .map(({ artifact, report }) => `${reportTable(report)}\nchampion: ${artifact.id}`)
          .join("\n\n"),
      );
    });
  });

  withTaskOptions(
    program
      .command("backtest")
      .description(
        "train on what was known before a cutoff, predict as of it, write every prediction beside what happened",
      )
      .argument("<model>", MODEL_NAMES.join(" or "))
      .option(
        "--cutoff <instant>",
        "the instant to stand at; the last whose horizon the data reach unless given",
      )
      .option(
        "--out <file>",
        "the predictions, .parquet or .csv; in the store's backtests/ unless given",
      )
      .option("--system <name>", "whose predictions are written: network or a baseline", "network")
      .option(
        "--systems <names...>",
        "repurchase-week: fit only these, the network and one baseline at least (all)",
      )
      .option(
        "--export-rows <folder>",
        "also write the feature rows that were learned from and judged on",
      )
      .option(
        "--cutoffs <count>",
        "repurchase-week: back-test at so many cutoffs, 28 days apart, the last at --cutoff (1)",
        wholeNumber(1),
      )
      .option("--seeds <count>", "repurchase-week: with so many seeds at each (1)", wholeNumber(1))
      .option("--figure <file.svg>", "draw reliability and lift of --system over all back-tests"),
  ).action(async (name: string, options: BacktestFlags, command: Command) => {
    await withService(command, options, async (service) => {
      const model = parseModelName(name);
      await writeIdentity(service.store, service.clock);
      const context = trainingContext(service, asOfOption(service, options));
      const taskAt = (instant: number): ReturnType<typeof taskOf> =>
        taskOf(
          service,
          model,
          {
            ...taskOptions(model, options),
            ...(options.systems === undefined ? {} : { systems: options.systems }),
          },
          instant,
        );
      const cutoff =
        options.cutoff === undefined
          ? lastJudgeableCutoff(await taskAt(context.asOf), context.asOf)
          : parseInstant(options.cutoff, "cutoff");
      const task = await taskAt(cutoff);
      if (cutoff > context.asOf) {
        throw new ServiceError(
          "invalid-input",
          `cutoff: expected an instant not after the end of the data, ${toIso(context.asOf)}, got ${toIso(cutoff)}`,
          { field: "cutoff" },
        );
      }
      if (isSeries(options)) {
        const asked = { last: cutoff, cutoffs: options.cutoffs ?? 1, seeds: options.seeds ?? 1 };
        await answerSeries(service, options, await backtestSeries(context, task, asked));
        return;
      }
      const file = options.out ?? backtestFile(service.store.path("backtests"), task, cutoff);
      const result = await backtestModel(context, task, {
        cutoff,
        file,
        system: options.system,
        ...(options.exportRows === undefined ? {} : { rowsFolder: options.exportRows }),
      });
      answer(
        options,
        result,
        () => `${reportTable(result.report)}\n${result.rows} predictions in ${result.file}`,
      );
    });
  });

  program
    .command("score")
    .description(
      "score everybody with the champion (of both models unless named) and publish the predictions",
    )
    .argument("[model]", MODEL_NAMES.join(" or "))
    .option("--as-of <instant>", "the instant that counts as now; the end of the data unless given")
    .option("--json", "answer as JSON")
    .action(async (name: string | undefined, options: TaskFlags, command: Command) => {
      await withService(command, options, async (service) => {
        await writeIdentity(service.store, service.clock);
        const context = trainingContext(service, asOfOption(service, options));
        const answers: Awaited<ReturnType<typeof scoreAll>>[] = [];
        for (const model of modelsOf(name)) {
          answers.push(await scoreAll(context, await taskOf(service, model, {})));
        }
        answer(options, answers, () =>
          answers
            .map(
              (one) =>
                `${one.rows} predictions by ${one.modelVersion}, as of ${toIso(context.asOf)}`,
            )
            .join("\n"),
        );
      });
    });
}

function isSeries({ cutoffs, seeds, figure }: BacktestFlags): boolean {
  return cutoffs !== undefined || seeds !== undefined || figure !== undefined;
}

async function answerSeries(
  { store }: Service,
  options: BacktestFlags,
  series: BacktestSeries,
): Promise<void> {
  if (options.figure !== undefined) {
    writeFileSync(options.figure, await backtestFigure(series, options.system));
    shareOutput(store.folder, options.figure);
  }
  answer(options, series, () => seriesText(series, options.system));
}

function withTaskOptions(command: Command): Command {
  return command
    .option(
      "--horizon <count>",
      "weeks ahead (repurchase-week, 12) or days ahead (conversion-intent, 7)",
      wholeNumber(1),
    )
    .option(
      "--horizons <spans>",
      "conversion-intent in visits: how soon an order may follow, ascending (1h,1d,7d)",
      spans,
    )
    .option(
      "--main-horizon <span>",
      "the one of these that ranks visitors (the second)",
      (text: string) => spans(text)[0],
    )
    .option(
      "--min-purchases <count>",
      "repurchase-week: days on which a pair was bought, at least (2)",
      wholeNumber(1),
    )
    .option(
      "--pool-days <days>",
      "conversion-intent: customers active within this many days (30; 365 for a shop without browsing)",
      wholeNumber(1),
    )
    .option(
      "--max-rows <count>",
      "training rows beyond this are sampled, those with a purchase first (600000 for repurchase-week, 300000 for conversion-intent)",
      wholeNumber(1000),
    )
    .option(
      "--max-cutoffs <count>",
      "training cutoffs, at most (12 for repurchase-week, 52 for conversion-intent)",
      wholeNumber(1),
    )
    .option("--complete-labels", "leave out training cutoffs whose horizon is not over yet")
    .option("--seed <number>", "the seed of everything random (7)", wholeNumber(0))
    .option("--as-of <instant>", "the instant that counts as now; the end of the data unless given")
    .option("--json", "answer as JSON");
}

function modelsOf(name: string | undefined): readonly ModelName[] {
  return name === undefined ? MODEL_NAMES : [parseModelName(name)];
}

function taskOptions(model: ModelName, flags: TaskFlags): Parameters<typeof taskOf>[2] {
  return {
    ...(flags.horizon === undefined
      ? {}
      : model === "repurchase-week"
        ? { horizonWeeks: flags.horizon }
        : { horizonDays: flags.horizon }),
    ...(flags.horizons === undefined ? {} : { horizonsMs: flags.horizons }),
    ...(flags.mainHorizon === undefined ? {} : { mainHorizonMs: flags.mainHorizon }),
    ...(flags.minPurchases === undefined ? {} : { minimumPurchases: flags.minPurchases }),
    ...(flags.poolDays === undefined ? {} : { poolDays: flags.poolDays }),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.maxRows === undefined ? {} : { maximumRows: flags.maxRows }),
    ...(flags.maxCutoffs === undefined ? {} : { maximumCutoffs: flags.maxCutoffs }),
    ...(flags.completeLabels === undefined ? {} : { completeLabels: flags.completeLabels }),
  };
}

function asOfOption(service: Service, flags: TaskFlags): number | undefined {
  if (historySummary(service.store).rows === 0) {
    throw new ServiceError("not-ready", 'the store holds no events yet: run "herkoop import"');
  }
  return flags.asOf === undefined ? undefined : parseInstant(flags.asOf, "as-of");
}
