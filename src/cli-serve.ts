import type { Command } from "commander";
import { acquireServerLock, type Lock, toIso } from "./base/index.ts";
import { someText, wholeNumber, withService } from "./cli-options.ts";
import { historySummary } from "./collection/index.ts";
import { readHostNames } from "./config.ts";
import { countCustomers } from "./customers/index.ts";
import { findChampion, MODEL_NAMES } from "./models/index.ts";
import { currentRun } from "./predictions/index.ts";
import { countMembers, listAudiences } from "./segments/index.ts";
import { startServer } from "./server.ts";
import { type Service, trainingContext } from "./service.ts";
import { runMainJob } from "./start.ts";
import { audienceTable } from "./text.ts";
import { isLoopback } from "./web/index.ts";

interface ServeFlags {
  readonly host?: string;
  readonly port?: number;
  readonly allowedHost?: readonly string[];
  readonly shutdownSeconds?: number;
}

/** Commands that serve: start (the main job first), serve. */
export function addServeCommands(program: Command): void {
  withAddress(
    program
      .command("start")
      .description(
        "the main job: import the sample if the store is empty, train, back-test, score, publish, then serve",
      )
      .option("--no-serve", "stop after the summary"),
  ).action(async (options: ServeFlags & { readonly serve: boolean }, command: Command) => {
    await withService(command, {}, async (service) => {
      // Before the work, not after it: another server may serve this store.
      const lock = options.serve ? acquireServerLock(service.store, service.clock) : undefined;
      try {
        await runMainJob(service);
        process.stdout.write(`${summary(service)}\n`);
        if (lock !== undefined) {
          await serve(service, options, lock);
        }
      } finally {
        lock?.release();
      }
    });
  });

  withAddress(
    program.command("serve").description("serve the API over what is in the store"),
  ).action(async (options: ServeFlags, command: Command) => {
    await withService(command, {}, (service) => serve(service, options));
  });
}

function withAddress(command: Command): Command {
  return command
    .option(
      "--host <address>",
      "where to listen (also HERKOOP_HOST; 127.0.0.1)",
      someText("an address of this machine"),
    )
    .option(
      "--port <number>",
      "the port (also HERKOOP_PORT; 8080; 0 for any free one)",
      wholeNumber(0, 65_535),
    )
    .option(
      "--allowed-host <name>",
      "a name under which the API may be asked, besides this machine's own; repeat it for more (also HERKOOP_ALLOWED_HOSTS, separated by commas)",
      (name: string, before: readonly string[] | undefined) => [
        ...(before ?? []),
        ...readHostNames([name], "--allowed-host"),
      ],
    )
    .option(
      "--shutdown-seconds <number>",
      "how long requests may take after SIGTERM before they are cut (also HERKOOP_SHUTDOWN_SECONDS; 10)",
      wholeNumber(0, 3600),
    );
}

async function serve(service: Service, options: ServeFlags, lock?: Lock): Promise<void> {
  const { shutdownSeconds } = options;
  const host = options.host ?? service.config.host;
  const server = await startServer(
    withAllowedHosts(service, options.allowedHost ?? []),
    host,
    options.port ?? service.config.port,
    undefined,
    undefined,
    {
      ...(lock === undefined ? {} : { lock }),
      ...(shutdownSeconds === undefined ? {} : { shutdownSeconds }),
    },
  );
  if (!isLoopback(host)) {
    process.stderr.write(
      `warning: ${host} is reached from other machines, and reading needs no key: whoever reaches it reads every customer. Put a proxy with access control in front, or listen on 127.0.0.1.\n`,
    );
  }
  process.stdout.write(
    [
      `Herkoop serves at ${server.url}`,
      `  ${server.url}/v1/health`,
      `  ${server.url}/v1/repurchase              who is due for what, by ISO week (add ?format=csv to one)`,
      `  ${server.url}/v1/pruning/cut?maximumLoss=0.05`,
      `  ${server.url}/v1/models`,
      `  ${server.url}/v1/openapi.json`,
      "",
    ].join("\n"),
  );
  await untilStopped();
  if (!(await server.close())) {
    // What still runs may take minutes; whatever it leaves, the next start goes on from there.
    process.exit(0);
  }
}

/** Resolves at the first SIGINT or SIGTERM; the second ends the process at once. */
async function untilStopped(): Promise<void> {
  await new Promise<void>((resolve) => {
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) {
        process.exit(130);
      }
      isStopping = true;
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}

function withAllowedHosts(service: Service, more: readonly string[]): Service {
  const { config } = service;
  return { ...service, config: { ...config, allowedHosts: [...config.allowedHosts, ...more] } };
}

/** What the main job came to, on one page. */
function summary(service: Service): string {
  const { store } = service;
  const history = historySummary(store);
  const champions = MODEL_NAMES.flatMap((model) => findChampion(store, model) ?? []);
  const headline = champions.map(({ model, card, system }) => {
    const names =
      model === "repurchase-week"
        ? ["nll", "weekly_auc", "auc_4w"]
        : ["log_loss", "auc", "kept_40"];
    const figures = (name: string): string =>
      names
        .map((metric) => `${metric} ${card.systems[name]?.metrics[metric]?.toFixed(4) ?? "-"}`)
        .join(", ");
    return [
      `${model}: ${system} serves`,
      `  ${"network".padEnd(32)}${figures("network")}`,
      `  ${`best baseline: ${card.gate.bestBaseline}`.padEnd(32)}${figures(card.gate.bestBaseline)}`,
    ].join("\n");
  });
  const audiences = listAudiences(store);
  const [week] = audiences.filter((audience) => audience.kind === "repurchase");
  return [
    "",
    `as of ${toIso(trainingContext(service).asOf)}: "now" is the end of the data`,
    `${history.rows} event lines, ${countCustomers(store)} customers`,
    ...MODEL_NAMES.map((model) => `${currentRun(store, model)?.rows ?? 0} predictions of ${model}`),
    "",
    ...headline,
    "",
    audienceTable(
      audiences.map((audience) => ({
        ...audience,
        name: audience === week ? `${audience.name} (this week)` : audience.name,
        members: countMembers(store, audience),
      })),
    ),
    "",
    `files: ${store.path("audiences")} (CSV), ${store.path("history")} (events), ${service.config.modelsFolder} (models)`,
    "",
  ].join("\n");
}
