import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { catalogueMarkdown } from "../../scripts/feature-catalogue.ts";
import { describeFeatures } from "../../src/features/index.ts";

const DOCS = join(import.meta.dirname, "..", "..", "docs");

describe("docs/feature-catalogue.md", () => {
  it("is what the declarations say (npm run docs:features)", () => {
    expect(readFileSync(join(DOCS, "feature-catalogue.md"), "utf8")).to.equal(catalogueMarkdown());
  });

  it("has every feature once, in rows of one width", () => {
    const rows = catalogueMarkdown()
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    expect(rows.map((row) => /`(\w+)`/.exec(row)?.[1])).to.have.members(
      describeFeatures().map(({ name }) => name),
    );
    for (const row of rows) {
      expect(row.split(" | "), row).to.have.length(6);
    }
  });
});
