import type { Command } from "commander";
import { parseInstant, ServiceError, toIso } from "./base/index.ts";
import { answer, withService } from "./cli-options.ts";
import { servingAsOf } from "./collection/index.ts";
import { findCustomerId, resolveInbox } from "./customers/index.ts";
import { byName, type FeatureService, findService, openOnlineStore } from "./features/index.ts";
import { materialiseFeatures } from "./service.ts";
import { table } from "./text.ts";

interface GetOptions {
  readonly product?: string;
  readonly category?: string;
  readonly asOf?: string;
  readonly json?: boolean;
}

/** Throws `invalid-input` where the service is of pairs or of customers and categories, and none is named. */
function checkNamed({ entity }: FeatureService, { product, category }: GetOptions): void {
  const field = entity === "pair" ? "product" : "category";
  const isMissing =
    (entity === "pair" && product === undefined) ||
    (entity === "customer_category" && category === undefined);
  if (isMissing) {
    throw new ServiceError(
      "invalid-input",
      `${field}: expected --${field} for a ${entity}, got none`,
      {
        field,
      },
    );
  }
}

/** Commands about features as they are served: get, materialize. */
export function addOnlineFeatureCommands(features: Command): void {
  features
    .command("get")
    .description("the features of one customer as of now, as the API serves them")
    .argument(
      "<service>",
      "conversion_intent, repurchase_week, or everything of a customer, a pair or a customer_category",
    )
    .argument("<type>", "the type of an identifier, such as user_id or email")
    .argument("<id>", "the identifier")
    .option("--product <product>", "the product of a pair")
    .option("--category <category>", "the category of a customer_category")
    .option("--as-of <instant>", "as known before this date or instant, not far back")
    .option("--json", "answer as JSON")
    .action(
      async (name: string, type: string, id: string, options: GetOptions, command: Command) => {
        const service = findService(name);
        const said = options.asOf === undefined ? undefined : parseInstant(options.asOf, "as-of");
        await withService(command, options, async ({ store, clock }) => {
          await resolveInbox(store, clock);
          const { product, category } = options;
          checkNamed(service, options);
          const { asOf, populationAsOf, rows } = openOnlineStore(store).readAt(
            service,
            findCustomerId(store, { type, value: id }),
            said ?? servingAsOf(store, clock),
            product === undefined && category === undefined
              ? []
              : [
                  {
                    ...(product === undefined ? {} : { product }),
                    ...(category === undefined ? {} : { category }),
                  },
                ],
          );
          const features = byName(service, rows[0] ?? []);
          const found = {
            service: service.name,
            version: service.version,
            asOf: toIso(asOf),
            populationAsOf: populationAsOf === null ? null : toIso(populationAsOf),
            features,
          };
          answer(options, found, () =>
            table(
              ["feature", `as of ${found.asOf}`],
              Object.entries(features).map(([feature, value]) => [
                feature,
                value === null ? "unknown" : String(value),
              ]),
            ),
          );
          return Promise.resolve();
        });
      },
    );

  features
    .command("materialize")
    .description(
      "make today's features of products and categories ready for serving (the server does it daily)",
    )
    .option("--json", "answer as JSON")
    .action(async (options: { json?: boolean }, command: Command) => {
      await withService(command, options, async (service) => {
        const { day, rows } = await materialiseFeatures(service);
        answer(
          options,
          { asOf: toIso(day), rows },
          () => `${rows} products and categories as of ${toIso(day)}`,
        );
      });
    });
}
