import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";

const PRIORITY = pathToFileURL(
  join(import.meta.dirname, "..", "..", "src", "base", "priority.ts"),
).href;

const SCRIPT = `
  import { readdirSync } from "node:fs";
  import { getPriority } from "node:os";
  import { yieldProcessor } from ${JSON.stringify(PRIORITY)};
  yieldProcessor();
  console.log(JSON.stringify(readdirSync("/proc/self/task").map((thread) => getPriority(Number(thread)))));`;

describe("a batch command", function () {
  this.timeout(60_000);

  it("goes after what serves, with every thread", function () {
    if (process.platform !== "linux") {
      this.skip();
    }
    const args = ["--import", "tsx", "--input-type=module", "-e", SCRIPT];
    const priorities = JSON.parse(
      execFileSync(process.execPath, args, { encoding: "utf8" }),
    ) as number[];
    expect(priorities.length).to.be.above(3);
    expect(Math.min(...priorities)).to.be.at.least(10);
  });
});
