import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeFeatures, describeViews, type FeatureDescription } from "../src/features/index.ts";

/** The page that lists every feature, as Markdown. */
export function catalogueMarkdown(): string {
  const features = describeFeatures();
  const entities = [...new Set(features.map(({ entity }) => entity))];
  return `${[
    "# The feature catalogue",
    "",
    "Made by `npm run docs:features` from the declarations in `src/features/views/`; [features](features.md) says what the words mean.",
    `${features.length} features in ${describeViews().length} views. A default of – is "unknown" (null).`,
    ...entities.flatMap((entity) =>
      section(
        entity,
        features.filter((one) => one.entity === entity),
      ),
    ),
  ].join("\n")}\n`;
}

function section(entity: string, features: readonly FeatureDescription[]): string[] {
  const views = describeViews().filter((view) => view.entity === entity);
  const derived = features.filter(({ view }) => view === null);
  return [
    "",
    entity === "instant" ? "## Of the cutoff itself" : `## Of a ${entity.replace("_", " and ")}`,
    ...views.flatMap(({ name, grain, gap }) => [
      "",
      `### \`${name}\``,
      "",
      `Aggregates ${grain}${gap === null ? "" : `; gaps in ${gap}`}.`,
      "",
      ...tableOf(features.filter(({ view }) => view === name)),
    ]),
    ...(derived.length === 0 ? [] : ["", "### Derived", "", ...tableOf(derived)]),
  ];
}

function tableOf(features: readonly FeatureDescription[]): string[] {
  return [
    "| feature | unit | meaning | how | default | models |",
    "| --- | --- | --- | --- | --- | --- |",
    ...features.map(({ name, unit, meaning, aggregation, whenUnknown, services }) => {
      const models = services.filter((service) => MODELS.includes(service)).join(", ");
      return `| \`${name}\` | ${unit} | ${meaning} | ${aggregation} | ${whenUnknown ?? "–"} | ${models} |`;
    }),
  ];
}

const MODELS = ["repurchase_week", "conversion_intent"];

if (process.argv[1] === import.meta.filename) {
  writeFileSync(
    join(import.meta.dirname, "..", "docs", "feature-catalogue.md"),
    catalogueMarkdown(),
  );
}
