import { existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { messageOf, openStoreKey, ServiceError, systemClock, toIso } from "./base/index.ts";
import { answer, withService } from "./cli-options.ts";
import { countTombstones, liftTombstone, makeBackup } from "./collection/index.ts";
import { readConfig } from "./config.ts";
import {
  listErasures,
  readReceipt,
  restoreBackup,
  type SignedReceipt,
  verifyReceipt,
} from "./customers/index.ts";
import { asWriter } from "./service.ts";
import { table } from "./text.ts";

interface Flags {
  readonly json?: boolean;
}

/** Commands about what erasure leaves, and what it does not reach: receipts, tombstones, backup. */
export function addReceiptCommands(program: Command): void {
  addReceipts(program);
  addTombstones(program);
  addBackup(program);
  addRestore(program);
}

function addReceipts(program: Command): void {
  const receipts = program.command("receipts").description("what was erased, signed");
  receipts
    .command("list")
    .description("every erasure, also unfinished ones")
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const all = listErasures(store).map(({ id, startedAt, finishedAt }) => ({
          id,
          startedAt: toIso(startedAt),
          finishedAt: finishedAt === null ? null : toIso(finishedAt),
        }));
        answer(options, all, () =>
          table(
            ["id", "started", "finished"],
            all.map((one) => [one.id, one.startedAt, one.finishedAt ?? "-"]),
          ),
        );
        return Promise.resolve();
      });
    });
  receipts
    .command("show")
    .description("one receipt as signed JSON")
    .argument("<id>", "from herkoop receipts list")
    .action(async (id: string, _: object, command: Command) => {
      await withService(command, { json: true }, ({ store }) => {
        answer({ json: true }, readReceipt(store, id), () => "");
        return Promise.resolve();
      });
    });
  receipts
    .command("verify")
    .description("whether a receipt is as this store signed it; exit code 2 where it is not")
    .argument("<id-or-file>", "its id, or a file with what `receipts show` said")
    .option("--json", "answer as JSON")
    .action(async (name: string, options: Flags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const signed = existsSync(name) ? readSigned(name) : readReceipt(store, name);
        if (!verifyReceipt(signed, openStoreKey(store).publicKey)) {
          throw new ServiceError("invalid-input", "receipt: it is not as this store signed it", {
            field: "receipt",
          });
        }
        answer(options, { isValid: true }, () => "valid: as this store signed it");
        return Promise.resolve();
      });
    });
}

function readSigned(file: string): SignedReceipt {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as SignedReceipt;
  } catch (error) {
    throw new ServiceError("invalid-input", `receipt: cannot read ${file}: ${messageOf(error)}`, {
      field: "receipt",
      cause: error,
    });
  }
}

function addTombstones(program: Command): void {
  const tombstones = program
    .command("tombstones")
    .description("identifiers that are refused since their person was erased");
  tombstones
    .command("list")
    .description("how many of each type; which, nobody can tell")
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const counts = countTombstones(store);
        answer(options, counts, () =>
          table(
            ["type", "identifiers"],
            Object.entries(counts).map(([type, count]) => [type, String(count)]),
          ),
        );
        return Promise.resolve();
      });
    });
  tombstones
    .command("lift")
    .description("let an identifier in again, where the person comes back")
    .argument("<type>", "its type")
    .argument("<value>", "the identifier")
    .action(async (type: string, value: string, _: object, command: Command) => {
      await withService(command, {}, ({ store }) => {
        liftTombstone(store, type, value);
        process.stdout.write(`this ${type} is taken in again\n`);
        return Promise.resolve();
      });
    });
}

function addBackup(program: Command): void {
  program
    .command("backup")
    .description("copy the store into a new folder, and put the copy on record")
    .argument("<folder>", "a new or empty folder outside of the store")
    .option("--json", "answer as JSON")
    .action(async (folder: string, options: Flags, command: Command) => {
      await withService(command, options, (service) =>
        asWriter(service, "backup", () => {
          const backup = makeBackup(service.store, service.clock, folder);
          answer(
            options,
            { ...backup, madeAt: toIso(backup.madeAt) },
            () => `${backup.files} history files, ${backup.rows} event lines: ${backup.folder}`,
          );
          return Promise.resolve();
        }),
      );
    });
}

function addRestore(program: Command): void {
  program
    .command("restore")
    .description("make a store (--store, a new folder) of a backup, without those erased since")
    .argument("<folder>", "the backup")
    .option("--tombstones-of <folder>", "the store that was in use, whose tombstones count")
    .option("--without-tombstones", "there is no such store any more: whoever was erased is back")
    .action(
      async (
        folder: string,
        options: { readonly tombstonesOf?: string; readonly withoutTombstones?: boolean },
        command: Command,
      ) => {
        if ((options.tombstonesOf === undefined) !== (options.withoutTombstones === true)) {
          throw new ServiceError(
            "invalid-input",
            "give --tombstones-of the store that was in use, or --without-tombstones",
            { field: "tombstones-of" },
          );
        }
        const { store } = command.optsWithGlobals<{ store?: string }>();
        const config = readConfig(store === undefined ? {} : { store });
        const receipts = await restoreBackup(systemClock, {
          backup: folder,
          target: config.storeFolder,
          former: options.tombstonesOf ?? null,
          modelsFolder: config.modelsFolder,
        });
        process.stdout.write(
          `${config.storeFolder}: restored, ${receipts.length} persons erased again\n`,
        );
      },
    );
}
