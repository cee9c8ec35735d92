import type { Command } from "commander";
import { toIso } from "./base/index.ts";
import { answer, withService } from "./cli-options.ts";
import { addQualityCommands } from "./cli-quality.ts";
import {
  CHANNELS,
  type Channel,
  createWriteKey,
  learnImports,
  listWriteKeys,
  revokeWriteKey,
  type WriteKey,
} from "./collection/index.ts";
import { resolveCustomers } from "./customers/index.ts";
import { asWriter, sealResolved } from "./service.ts";
import { table } from "./text.ts";

interface Flags {
  readonly json?: boolean;
}

interface CreateFlags extends Flags {
  readonly source: string;
  readonly public?: boolean;
  readonly channel?: Channel;
  readonly region?: string;
}

/** Commands about collection: keys, sources, quality, seal. */
export function addCollectionCommands(program: Command): void {
  addQualityCommands(program);
  const keys = program.command("keys").description("who may send events (docs/collection.md)");

  keys
    .command("create")
    .description("make a write key for a source, and the source if it is new")
    .requiredOption("--source <name>", "the source whose events it sends, such as webshop")
    .option("--public", "for a web page, where anybody can read it: its events join no identities")
    .option("--channel <name>", `where its events happen: ${CHANNELS.join(", ")}`)
    .option("--region <country>", "of phone numbers without a country code, such as NL")
    .option("--json", "answer as JSON")
    .action(async (options: CreateFlags, command: Command) => {
      await withService(command, options, async ({ store, clock }) => {
        const made = createWriteKey(store, clock, options.source, {
          isPublic: options.public ?? false,
          ...(options.channel === undefined ? {} : { channel: options.channel }),
          ...(options.region === undefined ? {} : { region: options.region }),
        });
        await learnImports(store, options.source);
        answer(options, { ...readable(made), key: made.key }, () =>
          [
            made.key,
            `(${made.isPublic ? "public " : ""}key ${made.id} of ${made.source}: it is shown this once)`,
          ].join("\n"),
        );
      });
    });

  keys
    .command("list")
    .description("every write key, without the key itself")
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, ({ store }) => {
        const all = listWriteKeys(store).map(readable);
        answer(options, all, () =>
          table(
            ["id", "source", "kind", "channel", "region", "created", "revoked"],
            all.map((one) => [
              one.id,
              one.source,
              one.isPublic ? "public" : "secret",
              one.channel ?? "-",
              one.region ?? "-",
              one.createdAt,
              one.revokedAt ?? "-",
            ]),
          ),
        );
        return Promise.resolve();
      });
    });

  keys
    .command("revoke")
    .description("end a write key at once")
    .argument("<id>", "its id, from herkoop keys list")
    .option("--json", "answer as JSON")
    .action(async (id: string, options: Flags, command: Command) => {
      await withService(command, options, ({ store, clock }) => {
        const key = readable(revokeWriteKey(store, clock, id));
        answer(options, key, () => `key ${key.id} of ${key.source} is revoked`);
        return Promise.resolve();
      });
    });

  program
    .command("seal")
    .description(
      "move what the inbox holds to the history (a server does it every minute), and its people to customers",
    )
    .option("--json", "answer as JSON")
    .action(async (options: Flags, command: Command) => {
      await withService(command, options, (service) =>
        asWriter(service, "seal", async () => {
          const report = await sealResolved(service);
          const { customers } = await resolveCustomers(service.store, service.clock);
          answer(
            options,
            { ...report, customers },
            () =>
              `${report.lines} event lines sealed, ${report.linesLeftOut} left out as already imported; ${customers} customers`,
          );
        }),
      );
    });
}

type ReadableKey = Omit<WriteKey, "createdAt" | "revokedAt"> & {
  readonly createdAt: string;
  readonly revokedAt: string | null;
};

function readable({
  id,
  source,
  createdAt,
  revokedAt,
  isPublic,
  channel,
  region,
}: WriteKey): ReadableKey {
  return {
    id,
    source,
    isPublic,
    channel,
    region,
    createdAt: toIso(createdAt),
    revokedAt: revokedAt === null ? null : toIso(revokedAt),
  };
}
