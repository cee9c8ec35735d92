import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { silentProgress } from "../../src/base/index.ts";
import { exportFeatures, parseSpine, wholeService } from "../../src/features/index.ts";
import { importLines, rhythmicOrders, shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const PROJECT = resolve(import.meta.dirname, "../..");
const PYTHON = join(PROJECT, ".venv", "bin", "python");
const run = promisify(execFile);

/** The Python snippets of the page on features, in their order. */
function snippets(): string[] {
  const page = readFileSync(join(PROJECT, "docs", "features.md"), "utf8");
  return [...page.matchAll(/```python\n([\s\S]*?)```/g)].map(([, code = ""]) => code);
}

describe("opening a file of features", function () {
  this.timeout(600_000);

  before(async () => {
    await run("bash", [join(PROJECT, "scripts", "python-environment.sh")]);
  });

  it("works as the page on features says", async function () {
    const hasPolars = await run(PYTHON, ["-c", "import polars"]).then(
      () => true,
      () => false,
    );
    await withStore(async (store, folder) => {
      await importLines(store, folder, rhythmicOrders(10, 200));
      const file = join(folder, "features.parquet");
      const { rows, columns } = await exportFeatures(
        { store, clock: shopClock, progress: silentProgress },
        {
          service: wholeService("customer"),
          cutoffs: [Date.parse("2023-06-01")],
          spine: parseSpine("customer", "everybody"),
          file,
        },
      );
      const [pandas = "", polars = ""] = snippets();
      const script = join(folder, "open.py");
      writeFileSync(script, pandas);
      const { stdout } = await run(PYTHON, [script, file]);
      expect(stdout.trim()).to.equal(`${rows} customer ${columns.at(-1)?.meaning ?? ""}`);
      expect(polars).to.include("import polars");
      if (hasPolars) {
        writeFileSync(script, polars);
        expect((await run(PYTHON, [script, file])).stdout.trim()).to.equal(String(rows));
      }
    });
  });
});
