import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { textTable } from "../src/text.ts";
import { herkoop } from "./support/command.ts";
import { inFolder } from "./support/temporary.ts";

const MAPPING = {
  source: "till",
  event: [{ name: "Order Completed" }],
  fields: { occurredAt: { column: "at" }, price: "price" },
};

describe("cli of imports", function () {
  this.timeout(30_000);

  it("fails, after its report, where every row was rejected", async () => {
    await inFolder(async (folder) => {
      const [file, mapping] = [join(folder, "till.csv"), join(folder, "mapping.json")];
      writeFileSync(mapping, JSON.stringify(MAPPING));
      writeFileSync(file, "at,price\nyesterday,1\n");
      const outcome = await herkoop(join(folder, "store"), "import", file, "--mapping", mapping);
      expect(outcome.code).to.equal(2);
      expect(outcome.stdout).to.include("1 rejected");
      expect(outcome.stderr).to.match(/nothing came in: every one of 1 rows was rejected/);
    });
  });

  it("wraps tables of text at 100 characters, from the left", () => {
    const long = "shopify orders ".repeat(20).trim();
    const path = `/data/${"x".repeat(150)}.csv`;
    const text = textTable(
      ["name", "what", ""],
      [
        ["a", long, path],
        ["b", "short", ""],
      ],
    );
    const lines = text.split("\n");
    expect(Math.max(...lines.map(({ length }) => length))).to.be.at.most(100);
    expect(lines[0]).to.match(/^name {2}what/);
    expect(text.match(/shopify/g)).to.have.length(20);
    expect(text.replaceAll(/[^x]/g, "")).to.have.length(150);
    expect(lines.at(-1)).to.equal("b     short");
  });
});
