import { createWriteStream, renameSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { ServiceError } from "./base/index.ts";
import { answer, withService } from "./cli-options.ts";
import { normaliseIdentifier } from "./collection/index.ts";
import {
  accessPerson,
  type ErasurePreview,
  erasePerson,
  type Identifier,
  previewErasure,
  rectifyPerson,
  type SignedReceipt,
} from "./customers/index.ts";
import { asWriter, type Service } from "./service.ts";
import { table } from "./text.ts";

interface Flags {
  readonly json?: boolean;
}

interface EraseFlags extends Flags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly resume?: boolean;
}

/** What can name a person. */
const TYPE = "user_id, email, phone, loyalty_id, crm_id, anonymous_id or a declared type";

/** Commands about the rights of persons: customers access, erase, rectify. */
export function addRightsCommands(program: Command): void {
  const customers =
    program.commands.find((command) => command.name() === "customers") ??
    program.command("customers").description("one person");
  addAccess(customers);
  addErase(customers);
  addRectify(customers);
}

function addAccess(customers: Command): void {
  customers
    .command("access")
    .description("everything that is held of a person, as one JSON file (docs/rights.md)")
    .argument("<type>", TYPE)
    .argument("<value>", "the identifier")
    .option("--out <file>", "where to write it; standard output unless given")
    .action(
      async (type: string, value: string, options: { readonly out?: string }, command: Command) => {
        await withService(command, { json: options.out === undefined }, async (service) => {
          const { store, clock } = service;
          const parts = Readable.from(accessPerson(store, clock, identifierOf(type, value)));
          if (options.out === undefined) {
            await pipeline(parts, process.stdout, { end: false });
            return;
          }
          // It names one person: nobody else is to read it.
          const partial = `${options.out}.partial`;
          await pipeline(parts, createWriteStream(partial, { mode: 0o600 }));
          renameSync(partial, options.out);
          process.stdout.write(`${options.out}\n`);
        });
      },
    );
}

function addErase(customers: Command): void {
  customers
    .command("erase")
    .description("erase a person from everything, refuse re-sent data, and leave a signed receipt")
    .argument("[type]", TYPE)
    .argument("[value]", "the identifier")
    .option("--dry-run", "say what would go, and change nothing")
    .option("--yes", "do it: it can't be undone")
    .option("--resume", "finish erasures that were interrupted")
    .option("--json", "answer as JSON")
    .action(
      async (
        type: string | undefined,
        value: string | undefined,
        options: EraseFlags,
        command: Command,
      ) => {
        await withService(command, options, (service) =>
          options.resume === true ? resume(service, options) : erase(service, type, value, options),
        );
      },
    );
}

async function resume(service: Service, options: EraseFlags): Promise<void> {
  // Whoever writes finishes what was interrupted, before anything else.
  await asWriter(service, "customers erase --resume", () => Promise.resolve());
  answer(options, { pending: [] }, () => "no erasure is unfinished");
}

async function erase(
  service: Service,
  type: string | undefined,
  value: string | undefined,
  options: EraseFlags,
): Promise<void> {
  if (type === undefined || value === undefined) {
    throw new ServiceError("invalid-input", "expected a type and a value, or --resume", {
      field: "type",
    });
  }
  const identifier = identifierOf(type, value);
  if (options.dryRun !== true && options.yes !== true) {
    throw new ServiceError("invalid-input", "erasing can't be undone: give --dry-run, or --yes", {
      field: "yes",
    });
  }
  if (options.dryRun === true) {
    const preview = await previewErasure(service.store, identifier);
    answer(options, { dryRun: true, ...preview }, () => storesTable(preview.stores));
    return;
  }
  const signed = await asWriter(service, "customers erase", () =>
    erasePerson(service.store, service.clock, identifier, service.config),
  );
  answer(options, signed, () => receiptText(signed));
}

function addRectify(customers: Command): void {
  customers
    .command("rectify")
    .description("correct what is said of a person, by an event of the source `operator`")
    .argument("<type>", TYPE)
    .argument("<value>", "the identifier")
    .requiredOption("--set <name=value...>", "a trait and what is right; JSON, else text")
    .option("--json", "answer as JSON")
    .action(
      async (
        type: string,
        value: string,
        options: Flags & { readonly set: readonly string[] },
        command: Command,
      ) => {
        const traits = Object.fromEntries(options.set.map(traitOf));
        await withService(command, options, async ({ store, clock }) => {
          await rectifyPerson(store, clock, identifierOf(type, value), traits);
          answer(
            options,
            { recorded: Object.keys(traits) },
            () => `recorded: ${Object.keys(traits).join(", ")}`,
          );
        });
      },
    );
}

function traitOf(text: string): readonly [string, unknown] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new ServiceError("invalid-input", `set: expected name=value, got "${text}"`, {
      field: "set",
    });
  }
  return [name, /^(true|false|null|-?\d+(\.\d+)?|["[{].*)$/s.test(value) ? parsed(value) : value];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function identifierOf(type: string, raw: string): Identifier {
  const value = normaliseIdentifier(type, raw);
  if (value === undefined) {
    const form = type === "phone" ? " (with its country code, such as +31...)" : "";
    throw new ServiceError("invalid-input", `value: expected ${type}${form}`, { field: "value" });
  }
  return { type, value };
}

function storesTable(stores: ErasurePreview["stores"]): string {
  return table(
    ["from", "removed", "changed"],
    stores.map((one) => [one.store, String(one.removed), String(one.changed)]),
  );
}

function receiptText({ receipt }: SignedReceipt): string {
  const { verification, models, backups } = receipt;
  const remains = [
    ...verification.filesWithRemains,
    ...verification.columnsWithRemains,
    ...models.filesWithRemains,
  ];
  return [
    storesTable(receipt.stores),
    `searched ${verification.filesSearched} files: ${remains.length === 0 ? "nothing remains" : `remains in ${remains.join(", ")}`}`,
    `model versions that had seen the person: ${models.versions.map(({ id }) => id).join(", ") || "none"}`,
    `backups that still hold the person: ${backups.map(({ folder }) => folder).join(", ") || "none"}`,
    `receipt ${receipt.id}`,
  ].join("\n");
}
