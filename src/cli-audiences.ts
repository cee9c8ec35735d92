import { join } from "node:path";
import { type Command, Option } from "commander";
import { ServiceError } from "./base/index.ts";
import { answer, numberWithin, withService } from "./cli-options.ts";
import { cutPool, getVersion, type PruningRequest } from "./models/index.ts";
import {
  countMembers,
  DEFAULT_MINIMUM_PROBABILITY,
  exportAudiences,
  getAudience,
  listAudiences,
  RETARGETING_POOL,
  refreshAudiences,
  writeCsv,
} from "./segments/index.ts";
import type { Service } from "./service.ts";
import { audienceTable, table } from "./text.ts";

interface AudienceFlags {
  readonly refresh?: boolean;
  readonly minProbability: number;
  readonly out?: string;
  readonly json?: boolean;
}

interface PruneFlags {
  readonly maxLoss?: number;
  readonly bound: "expected" | "low";
  readonly budget?: number;
  readonly costPerMember: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** Commands about audiences: audiences, prune. */
export function addAudienceCommands(program: Command): void {
  program
    .command("audiences")
    .description("who is due for what in each coming ISO week, and the retargeting pool")
    .option("--refresh", "make them anew from the published predictions")
    .option(
      "--min-probability <share>",
      "a customer is due from this probability in the week on",
      numberWithin(0, 1),
      DEFAULT_MINIMUM_PROBABILITY,
    )
    .option("--out <folder>", "also write each as CSV into this folder")
    .option("--json", "answer as JSON")
    .action(async (options: AudienceFlags, command: Command) => {
      await withService(command, options, async (service) => {
        const audiences =
          options.refresh === true
            ? await refreshAudiences(service.store, service.clock, {
                minimumProbability: options.minProbability,
              })
            : listAudiences(service.store);
        if (audiences.length === 0) {
          throw new ServiceError(
            "not-ready",
            'no audience is published yet: run "herkoop audiences --refresh"',
          );
        }
        const files =
          options.out === undefined ? [] : await exportAudiences(service.store, options.out);
        const counted = audiences.map((audience) => ({
          ...audience,
          members: countMembers(service.store, audience),
        }));
        answer(options, { audiences: counted, files }, () =>
          [
            `as of ${counted[0]?.asOf ?? ""}, data through ${counted[0]?.dataThrough ?? ""}`,
            audienceTable(counted),
            ...files,
          ].join("\n"),
        );
      });
    });

  program
    .command("prune")
    .description(
      "how much of the retargeting pool can be left out: the curve, and the cut for a loss or a budget",
    )
    .option(
      "--max-loss <share>",
      "the share of conversions that may be lost, such as 0.02",
      numberWithin(0, 1),
    )
    .addOption(
      new Option(
        "--bound <which>",
        "judge the loss by the expected share or by the low end of its 95% interval",
      )
        .choices(["expected", "low"])
        .default("low"),
    )
    .option("--budget <amount>", "what may be spent", numberWithin(0, Number.MAX_SAFE_INTEGER))
    .option(
      "--cost-per-member <amount>",
      "what addressing one member costs",
      numberWithin(1e-9, Number.MAX_SAFE_INTEGER),
      1,
    )
    .option("--out <folder>", "write the members that are kept as CSV into this folder")
    .option("--json", "answer as JSON")
    .action(async (options: PruneFlags, command: Command) => {
      await withService(command, options, (service) => prune(service, options));
    });
}

async function prune(service: Service, options: PruneFlags): Promise<void> {
  const request = pruningRequest(options);
  const pool = getAudience(service.store, RETARGETING_POOL);
  const poolSize = countMembers(service.store, pool);
  // The curve of the version that ranked this pool, which need not be today's champion.
  const { card } = getVersion(service.store, "conversion-intent", pool.modelVersion);
  const curve = card.pruning;
  const cut = request === null ? null : cutPool(curve, poolSize, request);
  const file =
    cut === null || options.out === undefined
      ? null
      : join(options.out, `${RETARGETING_POOL}-pruned.csv`);
  if (file !== null && cut !== null) {
    await writeCsv(service.store, pool, file, cut.members);
  }
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  const { modelVersion, asOf, dataThrough, computedAt } = pool;
  answer(options, { modelVersion, asOf, dataThrough, computedAt, poolSize, curve, cut, file }, () =>
    [
      `retargeting pool of ${poolSize}, as of ${asOf}; back-tested at ${card.testCutoffs.map((cutoff) => cutoff.slice(0, 10)).join(", ")}`,
      table(
        ["pruned", "conversions kept", "95% interval"],
        curve.map((point) => [
          percent(point.pruned),
          percent(point.kept),
          `${percent(point.low)} - ${percent(point.high)}`,
        ]),
      ),
      ...(cut === null
        ? ["give --max-loss or --budget for a cut"]
        : [
            `cut for ${cut.rule}: leave out ${percent(cut.pruned)}, address ${cut.members}, keep ${percent(cut.kept)} of conversions (${percent(cut.low)} - ${percent(cut.high)})`,
          ]),
      ...(file === null ? [] : [file]),
    ].join("\n"),
  );
}

function pruningRequest(options: PruneFlags): PruningRequest | null {
  if (options.maxLoss !== undefined && options.budget !== undefined) {
    throw new ServiceError("invalid-input", "give --max-loss or --budget, not both", {
      field: "budget",
    });
  }
  if (options.maxLoss !== undefined) {
    return { by: "loss", maximumLoss: options.maxLoss, bound: options.bound };
  }
  return options.budget === undefined
    ? null
    : { by: "members", maximumMembers: Math.floor(options.budget / options.costPerMember + 1e-9) };
}
