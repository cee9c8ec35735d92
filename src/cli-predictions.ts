import type { Command } from "commander";
import { parseInstant, ServiceError, toIso, WEEK_MS } from "./base/index.ts";
import { answer, wholeNumber, withService } from "./cli-options.ts";
import { findCustomer } from "./customers/index.ts";
import {
  type CustomerOutlook,
  currentRun,
  customerOutlook,
  type PredictionRun,
  reasonsOf,
} from "./predictions/index.ts";
import { textTable } from "./text.ts";

interface PredictionFlags {
  readonly silentUntil?: string;
  readonly limit: number;
  readonly json?: boolean;
}

/** The command about one customer's predictions. */
export function addPredictionCommands(program: Command): void {
  program
    .command("predictions")
    .description("what a customer will probably buy again, in which week, and why")
    .argument(
      "<type>",
      "user_id, email, phone, loyalty_id, crm_id, anonymous_id or a declared type",
    )
    .argument("<id>", "the identifier")
    .option(
      "--silent-until <instant>",
      "the answer as of then, should there be no order of the product until then",
    )
    .option(
      "--limit <n>",
      "products, the most probable within four weeks first",
      wholeNumber(1),
      20,
    )
    .option("--json", "answer as JSON")
    .action(async (type: string, id: string, options: PredictionFlags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const customer = findCustomer(store, { type, value: id });
        const run = currentRun(store, "repurchase-week");
        if (run === undefined) {
          throw new ServiceError("not-ready", 'nothing is scored yet: run "herkoop score"');
        }
        const silentUntil =
          options.silentUntil === undefined
            ? undefined
            : parseInstant(options.silentUntil, "silent-until");
        const outlook = customerOutlook(store, run, customer.id, silentUntil);
        const chosen = [...outlook.products]
          .sort((a, b) => a.rank - b.rank)
          .slice(0, options.limit);
        const told = { ...outlook, products: chosen };
        answer(options, jsonOf(run, told, silentUntil), () => textOf(run, told, silentUntil));
        return Promise.resolve();
      });
    });
}

function jsonOf(
  { modelVersion, system, missing, asOf, dataThrough, computedAt }: PredictionRun,
  { products }: CustomerOutlook,
  silentUntil: number | undefined,
): object {
  return {
    ...{ modelVersion, system, missing, asOf, dataThrough, computedAt },
    silentUntil: silentUntil === undefined ? null : toIso(silentUntil),
    predictions: products.map((one) => ({ ...one, reasons: reasonsOf(one.facts) })),
  };
}

function textOf(
  run: PredictionRun,
  { from, products }: CustomerOutlook,
  silentUntil: number | undefined,
): string {
  const day = (weeks: number): string => toIso(from + weeks * WEEK_MS).slice(0, 10);
  const share = (p: number): string => `${(100 * p).toFixed(1)}%`;
  const rows = products.map((one) => [
    String(one.rank),
    one.productName === null ? one.product : `${one.product} ${one.productName}`,
    share(one.withinFourWeeks),
    share(one.laterOrNever),
    one.window === null ? "-" : `${day(one.window.fromWeek - 1)} to ${day(one.window.toWeek)}`,
    reasonsOf(one.facts)
      .map(({ text }) => text)
      .join("; "),
  ]);
  return [
    `${run.modelVersion} (${run.system}), as of ${run.asOf}${silentUntil === undefined ? "" : `, without an order until ${toIso(silentUntil)}`}`,
    ...run.missing.map((one) => `too little for the network: ${one}`),
    products.length === 0
      ? "no product was bought often enough to be asked about"
      : textTable(["rank", "product", "4 weeks", "later or never", "80% window", "why"], rows),
  ].join("\n");
}
