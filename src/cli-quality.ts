import type { Command } from "commander";
import { parseInstant } from "./base/index.ts";
import { answer, readJson, withService } from "./cli-options.ts";
import {
  findSource,
  listSources,
  parseSourceRules,
  type QualityPart,
  readQuality,
  type SourceQuality,
  type SourceRulesText,
  setSourceRules,
} from "./collection/index.ts";
import { table } from "./text.ts";

interface Flags {
  readonly json?: boolean;
}

interface QualityFlags extends Flags {
  readonly source?: string;
  readonly since?: string;
}

/** Commands about what sources send: sources, quality. */
export function addQualityCommands(program: Command): void {
  const sources = program
    .command("sources")
    .description("where events come from, and what their own names mean (docs/collection.md)");

  sources
    .command("list")
    .description("every source")
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const all = listSources(store);
        answer(options, all, () =>
          table(
            ["source", "keys", "rules since"],
            all.map((one) => [one.source, String(one.keys), one.rulesUpdatedAt ?? "-"]),
          ),
        );
        return Promise.resolve();
      });
    });

  sources
    .command("show")
    .description("a source's rules for live events, as JSON")
    .argument("<name>", "the source")
    .option("--json", "answer as JSON, with the rest of the source")
    .action(async (name: string, options: Flags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const found = findSource(store, name);
        answer(options, found, () => JSON.stringify(found.rules ?? {}, null, 2));
        return Promise.resolve();
      });
    });

  sources
    .command("set")
    .description(
      "state a source's rules in place of earlier ones; a running server follows at once",
    )
    .argument("<name>", "the source, made if it is new")
    .argument("<file>", "the rules, JSON")
    .option("--json", "answer as JSON")
    .action(async (name: string, file: string, options: Flags, command: Command) => {
      await withService(command, options, ({ store, clock }) => {
        const set = setSourceRules(store, clock, name, readRules(file));
        answer(options, set, () => `rules of ${name} are in force`);
        return Promise.resolve();
      });
    });

  program
    .command("quality")
    .description("what came of each source, what was refused and why, and what to see to first")
    .option("--source <name>", "one source")
    .option("--since <day>", "what arrived on this day or later, such as 2011-12-09 (UTC)")
    .option("--json", "answer as JSON")
    .action(async (options: QualityFlags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const report = readQuality(store, {
          ...(options.source === undefined ? {} : { source: options.source }),
          ...(options.since === undefined ? {} : { since: parseInstant(options.since, "--since") }),
        });
        answer(options, report, () => qualityText(report));
        return Promise.resolve();
      });
    });
}

function readRules(file: string): SourceRulesText {
  return parseSourceRules(readJson(file, "file", "file"), file);
}

const PARTS = [
  ["live", "live"],
  ["imports", "files"],
] as const;

function qualityText(report: readonly SourceQuality[]): string {
  if (report.length === 0) {
    return "there is no source yet";
  }
  const rows = report.flatMap((one) =>
    PARTS.flatMap(([key, title]) => {
      const part = one[key];
      return part === null ? [] : [[`${one.source} (${title})`, ...figures(part)]];
    }),
  );
  const header =
    "source,accepted,duplicate,rejected,first,last,95% within,over a day,no identifier".split(",");
  return [
    table(header, rows),
    "",
    ...report.map(({ source, verdict }) => `${source}: ${verdict}`),
    ...report.flatMap((one) => PARTS.flatMap(([key, title]) => details(one, one[key], title))),
  ].join("\n");
}

function figures(part: QualityPart): string[] {
  const percent = (share: number | null): string =>
    share === null ? "-" : `${(100 * share).toFixed(1)}%`;
  return [
    String(part.accepted),
    String(part.duplicates),
    String(part.rejected),
    part.firstDay ?? "-",
    part.lastDay ?? "-",
    part.lateness?.p95 ?? "-",
    percent(part.lateShare),
    percent(part.missingIdentifierShare),
  ];
}

const LISTED = [
  ["events", "events"],
  ["channels", "channels"],
  ["rejects", "rejected for"],
  ["unknownEvents", "names without a meaning"],
  ["identifiers", "identifiers"],
  ["droppedIdentifiers", "identifiers that can't be read"],
  ["impossible", "values that can hardly be true"],
  ["unknownConsent", "consent categories without a purpose"],
] as const;

const LISTED_MAX = 10;

function details(one: SourceQuality, part: QualityPart | null, title: string): string[] {
  if (part === null) {
    return [];
  }
  const lists = LISTED.flatMap(([key, heading]) => {
    const shown = part[key].slice(0, LISTED_MAX).map(({ name, count }) => `${name} ${count}`);
    const more = part[key].length - shown.length;
    return shown.length === 0
      ? []
      : [`  ${heading}: ${shown.join(", ")}${more > 0 ? `, and ${more} more` : ""}`];
  });
  return lists.length === 0 ? [] : ["", `${one.source} (${title})`, ...lists];
}
