import { type Command, Option } from "commander";
import { answer, readJson, wholeNumber, withService } from "./cli-options.ts";
import { changesText, effectText, profileText, withDates } from "./customer-text.ts";
import {
  customerChanges,
  type EffectPreview,
  findCustomer,
  type Identifier,
  identityRules,
  joinIdentifiers,
  parseIdentityRules,
  previewVerdict,
  readProfile,
  separateIdentifiers,
  setIdentityRules,
  type Verdict,
  writeIdentity,
} from "./customers/index.ts";
import { asWriter, type Service } from "./service.ts";

interface Json {
  readonly json?: boolean;
}

/** Commands about persons: who is who, why, and an operator's word on it. Returns the group. */
export function addCustomerCommands(program: Command): Command {
  const customers = program
    .command("customers")
    .description("one person: the profile, what joined it, and how to divide or join by hand");
  addShow(customers);
  addChanges(customers);
  addVerdict(
    customers,
    "separate",
    "tell two identifiers of one customer apart: an unmerge, which restores both histories",
  );
  addVerdict(customers, "join", "join the customers of two identifiers");
  addRules(customers);
  return customers;
}

function addShow(customers: Command): void {
  customers
    .command("show")
    .description("the profile behind an identifier")
    .argument(
      "<type>",
      "user_id, email, phone, loyalty_id, crm_id, anonymous_id or a declared type",
    )
    .argument("<value>", "the identifier")
    .addOption(
      new Option("--events <n>", "lines of the timeline").argParser(wholeNumber(0)).default(20),
    )
    .addOption(new Option("--orders <n>", "orders").argParser(wholeNumber(0)).default(10))
    .option("--json", "answer as JSON")
    .action(
      async (
        type: string,
        value: string,
        options: Json & { readonly events: number; readonly orders: number },
        command: Command,
      ) => {
        await withService(command, options, ({ store }) => {
          const profile = readProfile(store, { type, value }, options);
          answer(options, withDates(profile), () => profileText(profile));
          return Promise.resolve();
        });
      },
    );
}

function addChanges(customers: Command): void {
  customers
    .command("changes")
    .description("merges and unmerges, the latest first, with what caused them")
    .argument("[type]", "of one customer: the type of an identifier")
    .argument("[value]", "its value")
    .addOption(new Option("--limit <n>", "how many").argParser(wholeNumber(1)).default(50))
    .option("--json", "answer as JSON")
    .action(
      async (
        type: string | undefined,
        value: string | undefined,
        options: Json & { readonly limit: number },
        command: Command,
      ) => {
        await withService(command, options, ({ store }) => {
          const id =
            type === undefined ? undefined : findCustomer(store, { type, value: value ?? "" }).id;
          const changes = customerChanges(store, id, options.limit);
          answer(options, withDates(changes), () => changesText(changes));
          return Promise.resolve();
        });
      },
    );
}

function addVerdict(customers: Command, verdict: Verdict, description: string): void {
  customers
    .command(verdict)
    .description(description)
    .argument("<type>", "the type of the one identifier")
    .argument("<value>", "its value")
    .argument("<other-type>", "the type of the other")
    .argument("<other-value>", "its value")
    .option("--reason <text>", "why, for the record", "an operator's decision")
    .option("--dry-run", "say what would change, and change nothing")
    .option("--json", "answer as JSON")
    .action(
      async (
        type: string,
        value: string,
        otherType: string,
        otherValue: string,
        options: Json & { readonly reason: string; readonly dryRun?: boolean },
        command: Command,
      ) => {
        const pair = [
          { type, value },
          { type: otherType, value: otherValue },
        ] as const;
        await withService(command, options, async (service) => {
          const effect = await effectOf(service, verdict, pair, options);
          answer(options, { verdict, dryRun: options.dryRun === true, ...effect }, () =>
            effectText(effect, options.dryRun === true),
          );
        });
      },
    );
}

async function effectOf(
  service: Service,
  verdict: Verdict,
  [one, other]: readonly [Identifier, Identifier],
  options: { readonly reason: string; readonly dryRun?: boolean },
): Promise<EffectPreview> {
  const { store, clock } = service;
  if (options.dryRun === true) {
    return previewVerdict(store, verdict, one, other);
  }
  const decide = verdict === "join" ? joinIdentifiers : separateIdentifiers;
  return asWriter(service, `customers ${verdict}`, async () => {
    const effect = decide(store, clock, one, other, options.reason);
    await writeIdentity(store, clock);
    return effect;
  });
}

function addRules(customers: Command): void {
  customers
    .command("rules")
    .description("how identifiers join: caps, what is shared, what is nobody's")
    .option(
      "--set <file>",
      "take the rules of a JSON file; `herkoop resolve --all` applies them to the past",
    )
    .option("--json", "answer as JSON")
    .action(async (options: Json & { readonly set?: string }, command: Command) => {
      await withService(command, options, ({ store, clock }) => {
        if (options.set !== undefined) {
          setIdentityRules(
            store,
            parseIdentityRules(readJson(options.set, "rules", "set")),
            clock.now(),
          );
        }
        const rules = identityRules(store);
        answer(options, rules, () => JSON.stringify(rules, null, 2));
        return Promise.resolve();
      });
    });
}
