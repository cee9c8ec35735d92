import { type Command, InvalidArgumentError } from "commander";
import { DAY_MS, parseInstant, ServiceError, toIso } from "./base/index.ts";
import { type EngineOptions, engineOf } from "./cli-engine.ts";
import { addCatalogueCommands } from "./cli-feature-catalogue.ts";
import { addOnlineFeatureCommands } from "./cli-features-online.ts";
import { answer, withService } from "./cli-options.ts";
import { writeIdentity } from "./customers/index.ts";
import {
  buildOnSpark,
  exportFeatures,
  exportHistoricalRows,
  type FeatureBuild,
  type FeatureService,
  findService,
  listBuilds,
  parseSpine,
  type Spine,
} from "./features/index.ts";
import { MODEL_NAMES, type ModelName } from "./models/index.ts";
import { type Service, taskOf } from "./service.ts";
import { table } from "./text.ts";

interface ExportFlags extends EngineOptions {
  readonly cutoff: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly every?: number;
  readonly spine?: string;
  readonly out: string;
  readonly json?: boolean;
}

interface RowsFlags {
  readonly rows: string;
  readonly out: string;
  readonly region?: string;
  readonly json?: boolean;
}

const SERVICE =
  "a model (repurchase-week, conversion-intent) or everything of an entity (customer, pair, customer_category, product, category)";

/** Commands about features: list, show, export, rows, builds. */
export function addFeatureCommands(program: Command): void {
  const features = program
    .command("features")
    .description("what is known of a customer, a pair or a product at an instant");

  addCatalogueCommands(features);
  addOnlineFeatureCommands(features);

  features
    .command("export")
    .description(
      "write features at cutoffs to a Parquet or CSV file, with a data dictionary beside it",
    )
    .argument("<service>", SERVICE)
    .option(
      "--cutoff <instant>",
      "features as known before this date or instant; may be repeated",
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option("--from <instant>", "the first of evenly spaced cutoffs")
    .option("--to <instant>", "they go on up to and with this one")
    .option("--every <days>", "days between two of them, such as 28d", everyOption)
    .option(
      "--spine <whom>",
      "everybody, min-purchases=<count> (pairs), active-within=<days> (customers); a model's own rows, else everybody",
    )
    .requiredOption(
      "--out <file>",
      "the .parquet or .csv file to write; with Spark a folder of Parquet files",
    )
    .option("--engine <name>", "what computes: duckdb or spark (docs/spark.md)", "duckdb")
    .option("--master <url>", "where Spark runs: spark://host:port, yarn, ... (default: local[*])")
    .option("--json", "answer as JSON")
    .action(async (name: string, options: ExportFlags, command: Command) => {
      await withService(command, options, (service) => exportCommand(service, name, options));
    });

  features
    .command("rows")
    .description("add to each row of a file the features as known at the row's own instant")
    .argument("<service>", SERVICE)
    .requiredOption(
      "--rows <file>",
      "CSV, JSON lines or Parquet with customer_id or an identifier (user_id, email, ...), timestamp (or event_timestamp, cutoff_ms), and product or category where the service is of them",
    )
    .requiredOption("--out <file>", "the .parquet or .csv file to write")
    .option("--region <code>", "where phone numbers without a country code are from, such as NL")
    .option("--json", "answer as JSON")
    .action(async (name: string, options: RowsFlags, command: Command) => {
      await withService(command, options, async (service) => {
        const found = serviceOf(name).service;
        await writeIdentity(service.store, service.clock);
        const { report } = await exportHistoricalRows(service, {
          service: found,
          rows: options.rows,
          file: options.out,
          ...(options.region === undefined ? {} : { region: options.region }),
        });
        answer(
          options,
          { file: options.out, rows: report.rows, unknownRows: report.unknownRows },
          () =>
            `${report.rows} rows in ${options.out}, ${report.unknownRows} of them of nobody the store knows`,
        );
      });
    });

  features
    .command("builds")
    .description("the latest builds of features, and how each differs from the one before")
    .option("--json", "answer as JSON")
    .action(async (options: { json?: boolean }, command: Command) => {
      await withService(command, options, (service) => {
        const builds = listBuilds(service.store);
        answer(options, builds, () => buildsTable(builds));
        return Promise.resolve();
      });
    });
}

async function exportCommand(service: Service, name: string, options: ExportFlags): Promise<void> {
  const target = serviceOf(name);
  const cutoffs = cutoffsOf(options);
  const now = service.clock.now();
  const late = cutoffs.find((cutoff) => cutoff > now);
  if (late !== undefined) {
    throw new ServiceError(
      "invalid-input",
      `cutoff: expected an instant up to now (${toIso(now)}), got ${toIso(late)}`,
      { field: "cutoff" },
    );
  }
  const spine = await spineOf(service, target, options.spine, Math.max(...cutoffs));
  const engine = await engineOf(options, service.config);
  await writeIdentity(service.store, service.clock);
  const request = { service: target.service, cutoffs, spine, file: options.out };
  if (engine !== undefined) {
    const [rows = 0] = await buildOnSpark(service.store, [request], engine);
    answer(options, { file: options.out, rows }, () => `${rows} rows in ${options.out}`);
    return;
  }
  const { rows } = await exportFeatures(service, request);
  answer(
    options,
    { file: options.out, dictionary: `${options.out}.dictionary.json`, rows },
    () => `${rows} rows in ${options.out}`,
  );
}

interface Target {
  readonly service: FeatureService;
  readonly model?: ModelName;
}

/** By the name of a service or of a model, also shortened (`repurchase`). Throws `not-found` with the nearest. */
function serviceOf(name: string): Target {
  const model = MODEL_NAMES.find((one) => one === name || one.split("-")[0] === name);
  const intent = name === "intent" ? "conversion-intent" : undefined;
  const service = findService(intent ?? model ?? name);
  const of = MODEL_NAMES.find((one) => one.replaceAll("-", "_") === service.name);
  return of === undefined ? { service } : { service, model: of };
}

async function spineOf(
  service: Service,
  target: Target,
  text: string | undefined,
  lastCutoff: number,
): Promise<Spine> {
  if (text !== undefined || target.model === undefined) {
    return parseSpine(target.service.entity, text ?? "everybody");
  }
  return (await taskOf(service, target.model, {}, lastCutoff)).spine;
}

const CUTOFFS_MAX = 1000;

function cutoffsOf({ cutoff, from, to, every }: ExportFlags): number[] {
  const evenly = [from, to, every].filter((one) => one !== undefined).length;
  if (evenly === 0 && cutoff.length > 0) {
    const given = cutoff.map((text) => parseInstant(text, "cutoff"));
    return [...new Set(given)].sort((a, b) => a - b);
  }
  if (cutoff.length > 0 || from === undefined || to === undefined || every === undefined) {
    throw new ServiceError(
      "invalid-input",
      "cutoff: expected --cutoff (once or more), or --from, --to and --every together",
      { field: "cutoff" },
    );
  }
  const [first, last] = [parseInstant(from, "from"), parseInstant(to, "to")];
  const count = Math.floor((last - first) / every) + 1;
  if (count < 1 || count > CUTOFFS_MAX) {
    throw new ServiceError(
      "invalid-input",
      `to: expected 1 to ${CUTOFFS_MAX} cutoffs from --from to --to, got ${Math.max(0, count)}`,
      { field: "to" },
    );
  }
  return Array.from({ length: count }, (_, index) => first + index * every);
}

function everyOption(text: string): number {
  const days = Number(/^([1-9]\d{0,4})d?$/.exec(text)?.[1]);
  if (Number.isNaN(days)) {
    throw new InvalidArgumentError(`expected days such as 28d, got "${text}"`);
  }
  return days * DAY_MS;
}

function buildsTable(builds: readonly FeatureBuild[]): string {
  if (builds.length === 0) {
    return "no build yet: features export, features rows, train and score make them";
  }
  return table(
    [
      "build",
      "service",
      "for",
      "whom",
      "last cutoff",
      "rows",
      "most drifted against the one before",
    ],
    builds.map((build) => {
      const [most] = build.drift;
      const shift = most?.medianShift ?? null;
      const drift =
        build.comparedWith === null
          ? "nothing to compare with"
          : most === undefined
            ? "none"
            : `${most.feature}: unknown ${percent(most.nullRateChange)}, median ${shift === null ? "-" : `${shift >= 0 ? "+" : ""}${shift.toFixed(2)} IQR`}`;
      return [
        String(build.id),
        `${build.service} v${build.version}`,
        build.purpose,
        build.spine,
        build.lastCutoff?.slice(0, 10) ?? "-",
        String(build.rows),
        drift,
      ];
    }),
  );
}

function percent(share: number): string {
  return `${share >= 0 ? "+" : ""}${(100 * share).toFixed(1)} points`;
}
