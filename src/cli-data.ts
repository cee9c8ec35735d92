import type { Command } from "commander";
import { toIso } from "./base/index.ts";
import { addImportCommands } from "./cli-import.ts";
import { answer, withService } from "./cli-options.ts";
import { historySummary, importRuns } from "./collection/index.ts";
import { countCustomers, resolveAgain, resolveCustomers } from "./customers/index.ts";
import { findChampion, MODEL_NAMES } from "./models/index.ts";
import { currentRun } from "./predictions/index.ts";
import { countMembers, listAudiences } from "./segments/index.ts";
import { asWriter, trainingContext } from "./service.ts";

/** Commands about data: import, resolve, status. */
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
        asWriter(service, "resolve", async () => {
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
