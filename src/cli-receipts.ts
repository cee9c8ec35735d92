import { existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { messageOf, openStoreKey, ServiceError, systemClock, toIso } from "./base/index.ts";
import { answer, withService } from "./cli-options.ts";
import { countTombstones, liftTombstone, makeBackup, verifyBackup } from "./collection/index.ts";
import { readConfig } from "./config.ts";
import {
  listErasures,
  readReceipt,
  restoreBackup,
  type SignedReceipt,
  verifyReceipt,
} from "./customers/index.ts";
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

interface BackupFlags extends Flags {
  readonly verify?: boolean;
  readonly key: boolean;
}

function addBackup(program: Command): void {
  program
    .command("backup")
    .description("copy the store with its models into a new folder, and put the copy on record")
    .argument("<folder>", "a new or empty folder outside of the store")
    .option("--no-key", "leave out the store's key, to be kept elsewhere; restoring may need it")
    .option("--verify", "check every file of a backup that was made, by its checksum")
    .option("--json", "answer as JSON")
    .action(async (folder: string, options: BackupFlags, command: Command) => {
      if (options.verify === true) {
        await verify(folder, options);
        return;
      }
      await withService(command, options, async ({ store, clock, config }) => {
        const backup = await makeBackup(store, clock, folder, {
          modelsFolder: config.modelsFolder,
          withKey: options.key,
        });
        answer(
          options,
          { ...backup, madeAt: toIso(backup.madeAt) },
          () => `${backup.files} history files, ${backup.rows} event lines: ${backup.folder}`,
        );
      });
    });
}

async function verify(folder: string, options: BackupFlags): Promise<void> {
  const { manifest, bytes, damaged } = await verifyBackup(folder);
  const { madeAt, files, rows } = manifest;
  answer(options, { madeAt, files: files.length, bytes, rows, damaged }, () =>
    damaged.length === 0
      ? `whole: ${files.length} files of ${madeAt}, ${rows} event lines`
      : damaged.map(({ file, damage }) => `${file}: ${damage}`).join("\n"),
  );
  if (damaged.length > 0) {
    throw new ServiceError("damaged", `${damaged.length} files of the backup are damaged`);
  }
}

function addRestore(program: Command): void {
  program
    .command("restore")
    .description("make a store (--store, a new folder) of a backup, without those erased since")
    .argument("<folder>", "the backup")
    .option("--tombstones-of <folder>", "the store that was in use, whose tombstones count")
    .option("--key <file>", "the store's key, where the backup was made with --no-key")
    .option("--without-tombstones", "there is no such store any more: whoever was erased is back")
    .action(
      async (
        folder: string,
        options: {
          readonly tombstonesOf?: string;
          readonly withoutTombstones?: boolean;
          readonly key?: string;
        },
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
          key: options.key ?? null,
          modelsFolder: config.modelsFolder,
        });
        process.stdout.write(
          `${config.storeFolder}: restored, ${receipts.length} persons erased again\n`,
        );
      },
    );
}
