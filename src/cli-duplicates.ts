import { type Command, Option } from "commander";
import { toIso } from "./base/index.ts";
import { answer, numberWithin, wholeNumber, withService } from "./cli-options.ts";
import {
  DUPLICATE_STATUSES,
  type Duplicate,
  type DuplicateStatus,
  decideDuplicate,
  getDuplicate,
  listDuplicates,
  PERSON_FIELDS,
  type PersonRecord,
  personOfIdentifier,
  type SearchReport,
  searchDuplicates,
} from "./customers/index.ts";
import { table } from "./text.ts";

interface Flags {
  readonly json?: boolean;
}

interface FindFlags extends Flags {
  readonly joinAbove?: number;
  readonly reviewAbove: number;
}

/** Commands about customers that are probably one person: duplicates find, list, show, join, separate. */
export function addDuplicateCommands(program: Command): void {
  const duplicates = program
    .command("duplicates")
    .description("customers that are probably one person (docs/duplicates.md)");

  duplicates
    .command("find")
    .description(
      "look for them and queue them for review; nothing is joined unless you say from where",
    )
    .option(
      "--join-above <bits>",
      "join pairs from this match weight on at once",
      numberWithin(-100, 1000),
    )
    .option(
      "--review-above <bits>",
      "queue pairs from this match weight on",
      numberWithin(-100, 1000),
      0,
    )
    .option("--json", "answer as JSON")
    .action(async (options: FindFlags, command: Command) => {
      await withService(command, options, async ({ store, clock }) => {
        const { joinAbove, reviewAbove } = options;
        const thresholds = joinAbove === undefined ? { reviewAbove } : { reviewAbove, joinAbove };
        const report = await searchDuplicates(store, clock, thresholds);
        answer(options, report, () => reportText(report));
      });
    });

  duplicates
    .command("list")
    .description("the pairs, the heaviest first")
    .addOption(
      new Option("--status <status>", "which").choices(DUPLICATE_STATUSES).default("pending"),
    )
    .option("--limit <count>", "how many", wholeNumber(1), 50)
    .option("--json", "answer as JSON")
    .action(
      async (options: Flags & { status: DuplicateStatus; limit: number }, command: Command) => {
        await withService(command, options, ({ store }) => {
          const found = listDuplicates(store, options.status, options.limit);
          answer(options, found.map(readable), () =>
            table(
              ["id", "match weight", "probability", "status", "decided by"],
              found.map((one) => [
                String(one.id),
                one.matchWeight.toFixed(1),
                one.probability.toFixed(4),
                one.status,
                one.decidedBy ?? "-",
              ]),
            ),
          );
          return Promise.resolve();
        });
      },
    );

  duplicates
    .command("show")
    .description("the two, side by side, and why they are a pair")
    .argument("<id>", "from herkoop duplicates list", wholeNumber(1))
    .option("--json", "answer as JSON")
    .action(async (id: number, options: Flags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const pair = getDuplicate(store, id);
        const people = [pair.leftIdentifierId, pair.rightIdentifierId].map((identifierId) =>
          personOfIdentifier(store, identifierId),
        );
        answer(options, { ...readable(pair), people: people.map((one) => one ?? null) }, () =>
          pairText(pair, people),
        );
        return Promise.resolve();
      });
    });

  for (const [action, status, meaning] of [
    ["join", "joined", "make the two one customer"],
    ["separate", "separated", "keep the two apart, for good"],
  ] as const) {
    duplicates
      .command(action)
      .description(meaning)
      .argument("<id>", "from herkoop duplicates list", wholeNumber(1))
      .option("--by <name>", "who decides", "command line")
      .option("--json", "answer as JSON")
      .action(async (id: number, options: Flags & { by: string }, command: Command) => {
        await withService(command, options, ({ store, clock }) => {
          const pair = decideDuplicate(store, clock, { id, status, by: options.by });
          answer(options, readable(pair), () => `duplicate ${id} is ${pair.status}`);
          return Promise.resolve();
        });
      });
  }
}

function reportText(report: SearchReport): string {
  return [
    `${report.records} customers compared in ${report.candidates} pairs: ${report.pending} wait for review, ${report.joined} joined`,
    ...(report.refused === 0 ? [] : [`${report.refused} reach the threshold but must not join`]),
    ...report.skipped.map(
      (one) =>
        `left out by ${one.rule}: ${one.blocks} values that too many share (the most common: ${one.largest} customers)`,
    ),
  ].join("\n");
}

function pairText(pair: Duplicate, people: readonly (PersonRecord | undefined)[]): string {
  const { prior, comparisons, household } = pair.explanation;
  const bits = (weight: number): string => `${weight >= 0 ? "+" : ""}${weight.toFixed(1)}`;
  return [
    `duplicate ${pair.id}, ${pair.status}: match weight ${pair.matchWeight.toFixed(1)}, probability ${pair.probability.toFixed(4)}`,
    table(
      ["", "one", "other"],
      PERSON_FIELDS.map((field) => [field, ...people.map((one) => one?.person[field] ?? "-")]),
    ),
    "",
    table(
      ["compared", "agreement", "bits"],
      [
        ["any two customers", "", bits(prior)],
        ...comparisons.map((one) => [one.comparison, one.level, bits(one.weight)]),
        ["may be of one household", "", bits(household)],
      ],
    ),
  ].join("\n");
}

function readable(pair: Duplicate): Omit<Duplicate, "foundAt" | "decidedAt"> & {
  readonly foundAt: string;
  readonly decidedAt: string | null;
} {
  return {
    ...pair,
    foundAt: toIso(pair.foundAt),
    decidedAt: pair.decidedAt === null ? null : toIso(pair.decidedAt),
  };
}
