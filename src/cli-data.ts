import type { Command } from "commander";
import { parseInstant, ServiceError, toIso } from "./base/index.ts";
import { type EngineOptions, engineOf } from "./cli-engine.ts";
import { addOnlineFeatureCommands } from "./cli-features-online.ts";
import { addImportCommands } from "./cli-import.ts";
import { answer, withService } from "./cli-options.ts";
import { historySummary, importRuns } from "./collection/index.ts";
import {
  countCustomers,
  resolveAgain,
  resolveCustomers,
  writeIdentity,
} from "./customers/index.ts";
import { buildOnSpark, featureCatalogue, openOfflineStore } from "./features/index.ts";
import { findChampion, MODEL_NAMES, parseModelName } from "./models/index.ts";
import { currentRun } from "./predictions/index.ts";
import { countMembers, listAudiences } from "./segments/index.ts";
import { asWriter, taskOf, trainingContext } from "./service.ts";
import { table } from "./text.ts";

/** Commands about data: import, resolve, features, status. */
export function addDataCommands(program: Command): void {
  addImportCommands(program);

  program
    .command("resolve")
    .description("give every identifier of the history its customer (import does it, too)")
    .option(
      "--all",
      "forget who is who and read it again from the whole history, by the rules of now",
    )
    .option("--json", "answer as JSON")
    .action(async (options: { all?: boolean; json?: boolean }, command: Command) => {
      await withService(command, options, (service) =>
        asWriter(service, async () => {
          const resolve = options.all === true ? resolveAgain : resolveCustomers;
          const resolution = await resolve(service.store, service.clock);
          answer(
            options,
            resolution,
            () => `${resolution.customers} customers, ${resolution.newCustomers} of them new`,
          );
        }),
      );
    });

  addFeatureCommands(program);

  program
    .command("status")
    .description("what is in the store, how fresh, and who serves")
    .option("--json", "answer as JSON")
    .action(async (options: { json?: boolean }, command: Command) => {
      await withService(command, options, (service) => {
        const history = historySummary(service.store);
        const iso = (instant: number | null): string | null =>
          instant === null ? null : toIso(instant);
        const status = {
          store: service.config.storeFolder,
          asOf: toIso(trainingContext(service).asOf),
          history: {
            rows: history.rows,
            firstOccurredAt: iso(history.firstOccurredAt),
            lastOccurredAt: iso(history.lastOccurredAt),
          },
          customers: countCustomers(service.store),
          imports: importRuns(service.store).map((run) => ({
            ...run,
            finishedAt: toIso(run.finishedAt),
          })),
          models: MODEL_NAMES.map((model) => ({
            model,
            champion: findChampion(service.store, model)?.id ?? null,
            system: findChampion(service.store, model)?.system ?? null,
            predictions: currentRun(service.store, model) ?? null,
          })),
          audiences: listAudiences(service.store).map((audience) => ({
            ...audience,
            members: countMembers(service.store, audience),
          })),
        };
        answer(options, status, () =>
          [
            `store       ${status.store}`,
            `as of       ${status.asOf}`,
            `history     ${history.rows} event lines, ${status.history.firstOccurredAt ?? "-"} to ${status.history.lastOccurredAt ?? "-"}`,
            `customers   ${status.customers}`,
            ...status.models.map(
              ({ model, champion, system, predictions }) =>
                `${model.padEnd(18)} ${champion === null ? "not trained" : `${champion} (${system ?? ""})`}, ${predictions === null ? "not scored" : `${predictions.rows} predictions as of ${predictions.asOf}`}`,
            ),
            `audiences   ${status.audiences.length}`,
          ].join("\n"),
        );
        return Promise.resolve();
      });
    });
}

function addFeatureCommands(program: Command): void {
  const features = program
    .command("features")
    .description("what is known of a customer, a pair or a product at an instant");
  addOnlineFeatureCommands(features);

  features
    .command("list")
    .description("every feature with its unit and meaning")
    .option("--json", "answer as JSON")
    .action((options: { json?: boolean }) => {
      const catalogue = featureCatalogue();
      answer(options, catalogue, () =>
        table(
          ["feature", "of", "unit", "meaning"],
          catalogue.map((entry) => [entry.name, entry.entity, entry.unit, entry.meaning]),
        ),
      );
    });

  features
    .command("export")
    .description("write the features of everybody at a cutoff to a Parquet file")
    .argument(
      "<model>",
      "whose features: repurchase-week (per customer and product) or conversion-intent (per customer)",
    )
    .requiredOption("--cutoff <instant>", "features as known before this date or instant")
    .requiredOption(
      "--out <file>",
      "the Parquet file to write (with Spark a folder of Parquet files)",
    )
    .option("--engine <name>", "what computes: duckdb or spark (docs/spark.md)", "duckdb")
    .option("--master <url>", "where Spark runs: spark://host:port, yarn, ... (default: local[*])")
    .option("--json", "answer as JSON")
    .action(
      async (
        name: string,
        options: EngineOptions & { cutoff: string; out: string; json?: boolean },
        command: Command,
      ) => {
        const model = parseModelName(name);
        const cutoff = parseInstant(options.cutoff, "cutoff");
        if (!options.out.endsWith(".parquet")) {
          throw new ServiceError(
            "invalid-input",
            `out: expected a name ending in .parquet, got "${options.out}"`,
            { field: "out" },
          );
        }
        await withService(command, options, async (service) => {
          const engine = await engineOf(options, service.config);
          const task = await taskOf(service, model, {}, cutoff);
          await writeIdentity(service.store, service.clock);
          const request = {
            service: task.service,
            cutoffs: [cutoff],
            spine: task.spine,
            file: options.out,
          };
          if (engine !== undefined) {
            const [rows = 0] = await buildOnSpark(service.store, [request], engine);
            answer(options, { file: options.out, rows }, () => `${rows} rows in ${options.out}`);
            return;
          }
          const offline = await openOfflineStore(service.store);
          try {
            const rows = await offline.build(request);
            answer(options, { file: options.out, rows }, () => `${rows} rows in ${options.out}`);
          } finally {
            offline.close();
          }
        });
      },
    );
}
