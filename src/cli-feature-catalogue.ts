import type { Command } from "commander";
import { answer } from "./cli-options.ts";
import {
  type Described,
  describeName,
  type FeatureDescription,
  type FeatureFilter,
  filterFeatures,
} from "./features/index.ts";
import { textTable } from "./text.ts";

/** Commands about what features there are: list, show. */
export function addCatalogueCommands(features: Command): void {
  features
    .command("list")
    .description("every feature with its unit and meaning")
    .option("--entity <name>", "only those of a customer, pair, product, ...")
    .option("--view <name>", "only those of a view")
    .option("--service <name>", "only those that a service (such as repurchase_week) has")
    .option("--json", "answer as JSON")
    .action((options: FeatureFilter & { json?: boolean }) => {
      const found = filterFeatures(options);
      answer(options, found, () =>
        textTable(
          ["feature", "of", "unit", "meaning"],
          found.map(({ name, entity, unit, meaning }) => [name, entity, unit, meaning]),
        ),
      );
    });

  features
    .command("show")
    .description("a feature, a view or a service: what it is made of and who reads it")
    .argument("<name>", "of a feature, a view or a service")
    .option("--json", "answer as JSON")
    .action((name: string, options: { json?: boolean }) => {
      const found = describeName(name);
      answer(options, found, () => describedText(found));
    });
}

function describedText(described: Described): string {
  switch (described.kind) {
    case "feature":
      return lines(
        described.feature.name,
        described.feature.meaning,
        featureLines(described.feature),
      );
    case "view": {
      const { name, entity, relation, grain, where, gap, features } = described.view;
      return lines(`view ${name}`, `features of a ${entity}`, [
        ["relation", relation],
        ["grain", grain],
        ["where", where],
        ["gaps", gap],
        ["features", features.join(", ")],
      ]);
    }
    case "service": {
      const { name, version, entity, features } = described.service;
      return lines(`service ${name} v${version}`, `${features.length} features of a ${entity}`, [
        ["features", features.join(", ")],
      ]);
    }
  }
}

type Line = readonly [label: string, text: string | null];

function featureLines(feature: FeatureDescription): Line[] {
  const { whenUnknown, window, inputs, readBy, services } = feature;
  return [
    [
      "of",
      `${feature.entity}${feature.isOfPopulation ? ", as known at the start of the cutoff's UTC day" : ""}`,
    ],
    ["unit", feature.unit],
    ["default", whenUnknown === null ? "unknown (null)" : String(whenUnknown)],
    ["view", feature.view],
    ["relation", feature.relation],
    ["grain", feature.grain],
    ["how", feature.aggregation],
    ["window", window],
    ["inputs", inputs.length === 0 ? null : inputs.join(", ")],
    ["read by", readBy.length === 0 ? null : readBy.join(", ")],
    ["services", services.join(", ")],
  ];
}

function lines(title: string, meaning: string, rest: readonly Line[]): string {
  const told = rest.flatMap(([label, text]) => (text === null ? [] : [[label, text] as const]));
  const width = Math.max(...told.map(([label]) => label.length));
  return [
    title,
    meaning,
    "",
    ...told.map(([label, text]) => `${label.padEnd(width)}  ${text}`),
  ].join("\n");
}
