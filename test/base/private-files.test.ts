import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { openStore } from "../../src/base/index.ts";
import { outcomeOf } from "../support/command.ts";
import { inFolder } from "../support/temporary.ts";

const BIN = join(import.meta.dirname, "..", "..", "bin", "herkoop.js");

/** The access rights of a path and of all below it, by its name from there. */
function modesOf(path: string): Record<string, string> {
  const modeOf = (one: string): string => (statSync(one).mode & 0o777).toString(8);
  const below = readdirSync(path, { recursive: true }).map(String).sort();
  return Object.fromEntries([
    [".", modeOf(path)],
    ...below.map((name) => [name, modeOf(join(path, name))] as const),
  ]);
}

/** Runs a command as a user whose umask lets the group read. */
async function herkoop(store: string, ...args: readonly string[]): Promise<void> {
  const words = [process.execPath, BIN, "--store", store, ...args];
  const outcome = await outcomeOf(spawn("sh", ["-c", 'umask 027; exec "$@"', "sh", ...words]));
  expect(outcome, args.join(" ")).to.include({ code: 0 });
}

const MAPPING = {
  source: "shop",
  event: [{ name: "Order Completed" }],
  knownAt: "occurredAt",
  fields: { occurredAt: { column: "at", zone: "UTC" }, userId: "user", productId: "product" },
};

describe("files of a store", function () {
  this.timeout(180_000);

  it("are for its user alone, whoever writes them; output elsewhere is as the user's umask says", async () => {
    await inFolder(async (folder) => {
      const store = join(folder, "store");
      const mapping = join(folder, "mapping.json");
      const orders = join(folder, "orders.csv");
      writeFileSync(mapping, JSON.stringify(MAPPING));
      writeFileSync(orders, "user,product,at\nu1,A,2024-01-05 10:00\nu2,B,yesterday\n");
      await herkoop(store, "import", orders, "--mapping", mapping);
      const service = ["features", "export", "customer", "--cutoff", "2024-01-06", "--out"];
      await herkoop(store, ...service, join(folder, "out", "of", "features.parquet"));
      await herkoop(store, "refunds", "--out", join(store, "refunds.parquet"));
      await herkoop(store, "backup", join(folder, "backup"));
      const modes = { ...modesOf(store), ...modesOf(join(folder, "backup")) };
      const kinds = ["herkoop.sqlite", "locks/writer.sqlite", "refunds.parquet"];
      expect(modes).to.include.keys(".", "history", "rejects", "backup.json", ...kinds);
      for (const [name, mode] of Object.entries(modes)) {
        expect(mode, name).to.be.oneOf(["700", "600"]);
      }
      expect(modesOf(join(folder, "out"))).to.deep.equal({
        ".": "750",
        of: "750",
        "of/features.parquet": "640",
        "of/features.parquet.dictionary.json": "640",
      });
    });
  });

  it("are so in a store that is open, and in one that others could enter until now", async () => {
    await inFolder(async (folder) => {
      mkdirSync(join(folder, "store"));
      chmodSync(join(folder, "store"), 0o755);
      const store = await openStore(join(folder, "store"));
      const duckdb = await store.openDuckDb();
      await duckdb.run(`COPY (SELECT 1 AS one) TO '${join(store.path("history"), "a.parquet")}'`);
      const modes = modesOf(store.folder);
      duckdb.close();
      store.close();
      expect(modes).to.include.keys(
        "herkoop.sqlite-wal",
        "herkoop.sqlite-shm",
        "history/a.parquet",
      );
      for (const [name, mode] of Object.entries(modes)) {
        expect(mode, name).to.be.oneOf(["700", "600"]);
      }
    });
  });

  it("stay where others share the folder", async () => {
    await inFolder(async (folder) => {
      const shared = join(folder, "shared");
      mkdirSync(shared);
      chmodSync(shared, 0o1777);
      const store = await openStore(shared);
      store.close();
      expect(statSync(shared).mode & 0o7777).to.equal(0o1777);
    });
  });
});
