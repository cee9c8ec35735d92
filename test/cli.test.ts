import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { herkoop } from "./support/command.ts";
import { inFolder } from "./support/temporary.ts";

const MAPPING = {
  source: "shop",
  event: [{ name: "Order Completed" }],
  knownAt: "occurredAt",
  fields: { occurredAt: { column: "at", zone: "UTC" }, userId: "user", productId: "product" },
};

describe("cli", function () {
  this.timeout(180_000);

  it("explains every command", async () => {
    await inFolder(async (store) => {
      const overview = await herkoop(store, "--help");
      expect(overview.code).to.equal(0);
      for (const command of [
        "start",
        "import",
        "train",
        "backtest",
        "score",
        "audiences",
        "prune",
        "serve",
        "status",
        "features",
      ]) {
        expect(overview.stdout).to.include(command);
      }
      const one = await herkoop(store, "backtest", "--help");
      expect(one).to.include({ code: 0, stderr: "" });
      expect(one.stdout).to.include("--min-purchases");
    });
  });

  it("imports, answers in JSON, and tells of rejected rows", async () => {
    await inFolder(async (folder) => {
      writeFileSync(join(folder, "mapping.json"), JSON.stringify(MAPPING));
      writeFileSync(
        join(folder, "orders.csv"),
        "user,product,at\nu1,A,2024-01-05 10:00\nu2,B,yesterday\n",
      );
      const args = [
        "import",
        join(folder, "orders.csv"),
        "--mapping",
        join(folder, "mapping.json"),
        "--json",
      ];
      const dry = await herkoop(join(folder, "store"), ...args, "--dry-run");
      expect(JSON.parse(dry.stdout)).to.include({ dryRun: true, rowsAccepted: 1, rowsRejected: 1 });
      const done = await herkoop(join(folder, "store"), ...args);
      expect(done).to.include({ code: 0, stderr: "" });
      expect(JSON.parse(done.stdout)).to.deep.include({
        rowsAccepted: 1,
        rowsRejected: 1,
        customers: { newCustomers: 1, newIdentifiers: 1, customers: 1 },
      });
      const file = join(folder, "features.parquet");
      const late = ["--cutoff", "3024-01-01", "--out", file];
      const refused = await herkoop(
        join(folder, "store"),
        "features",
        "export",
        "customer",
        ...late,
      );
      expect(refused.code).to.equal(2);
      expect(refused.stderr).to.match(
        /cutoff: expected an instant up to now \(.*\), got 3024-01-01/,
      );
      expect(existsSync(file)).to.equal(false);
      const status = await herkoop(join(folder, "store"), "status", "--json");
      expect(JSON.parse(status.stdout)).to.deep.include({
        customers: 1,
        asOf: "2024-01-06T00:00:00Z",
      });
    });
  });

  it("ends with the code that its help states, one line, no stack", async () => {
    await inFolder(async (folder) => {
      writeFileSync(join(folder, "mapping.json"), JSON.stringify({ ...MAPPING, sauce: "x" }));
      writeFileSync(join(folder, "orders.csv"), "user,product,at\nu1,A,2024-01-05 10:00\n");
      const store = join(folder, "store");
      const cases: readonly (readonly [number, RegExp, readonly string[]])[] = [
        [2, /unknown command 'trian'/, ["trian"]],
        [2, /mapping/, ["import", join(folder, "orders.csv")]],
        [
          2,
          /sauce/,
          ["import", join(folder, "orders.csv"), "--mapping", join(folder, "mapping.json")],
        ],
        [
          2,
          /there is no file/,
          [
            "import",
            join(folder, "none.csv"),
            "--mapping",
            join(import.meta.dirname, "..", "data", "online_retail.mapping.json"),
          ],
        ],
        [2, /expected a whole number of at least 1, got "0"/, ["train", "--horizon", "0"]],
        [2, /expected ascending spans .* got "1d,1h"/, ["train", "--horizons", "1d,1h"]],
        [2, /expected ascending spans .* got "soon"/, ["train", "--main-horizon", "soon"]],
        [2, /expected a number from 0 to 1, got "2"/, ["prune", "--max-loss", "2"]],
        [3, /the store holds no events yet/, ["train"]],
        [3, /nothing is scored yet/, ["audiences", "--refresh"]],
        [3, /no audience is published yet/, ["prune"]],
      ];
      for (const [code, message, args] of cases) {
        const outcome = await herkoop(store, ...args);
        expect(outcome.code, args.join(" ")).to.equal(code);
        expect(outcome.stderr, args.join(" ")).to.match(message);
        expect(outcome.stderr, args.join(" ")).to.not.match(/\n\s+at /);
        expect(outcome.stdout).to.equal("");
      }
    });
  });
});
