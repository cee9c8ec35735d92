import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import type { AcceleratorAnswer } from "../support/accelerator-child.ts";
import { inFolder } from "../support/temporary.ts";

/** The version that is tested. Its install step would download from elsewhere, and isn't needed. */
const PACKAGE = "onnxruntime-node@1.30.0";
const CHILD = join(import.meta.dirname, "..", "support", "accelerator-child.ts");
const run = promisify(execFile);

async function answerOf(modules: string): Promise<AcceleratorAnswer> {
  const command = [`NODE_PATH=${modules}`, process.execPath, "--import", "tsx", CHILD];
  const { stdout } = await run("env", command, { maxBuffer: 64 * 2 ** 20 });
  const start = stdout.indexOf("{");
  return JSON.parse(stdout.slice(start)) as AcceleratorAnswer;
}

describe("the accelerator", function () {
  this.timeout(600_000);

  let without: AcceleratorAnswer;
  let accelerated: AcceleratorAnswer;

  before(async () => {
    await inFolder(async (folder) => {
      const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder];
      await run("npm", ["install", ...flags, PACKAGE]);
      without = await answerOf(folder);
      accelerated = await answerOf(join(folder, "node_modules"));
    });
  });

  it("is found where it is installed, and told of where it is not", () => {
    expect(accelerated.backend).to.equal(`${without.backend}; multiplying: onnxruntime`);
    expect(without.notes.join()).to.match(/onnxruntime-node: Cannot find module/);
    expect(accelerated.notes.join()).to.not.contain("onnxruntime");
  });

  it("scores repurchase week as the tensor backend and the single row do, to 1e-5", () => {
    const names = Object.keys(without.networks);
    expect(names).to.have.length(4);
    for (const name of names) {
      const [plain, fast] = [without.networks[name], accelerated.networks[name]];
      expect(plain?.farthest, name).to.be.below(1e-5);
      expect(fast?.farthest, name).to.be.below(1e-5);
      expect(new Set(fast?.logits).size, name).to.be.above(2500);
      plain?.logits.forEach((logit, cell) => {
        expect(fast?.logits[cell], name).to.be.closeTo(logit, 1e-5);
      });
    }
  });

  it("takes the gradients that the tensor backend does", () => {
    for (const [name, plain] of Object.entries(without.gradientsOf)) {
      const fast = accelerated.gradientsOf[name];
      expect(fast?.loss, name).to.be.closeTo(plain.loss, 1e-5);
      expect(fast?.gradients.map(({ length }) => length)).to.deep.equal(
        plain.gradients.map(({ length }) => length),
      );
      plain.gradients.forEach((values, index) => {
        expect(values.some((value) => Math.abs(value) > 0.01)).to.equal(true);
        values.forEach((value, at) => {
          expect(fast?.gradients[index]?.[at], `${name} ${index}`).to.be.closeTo(value, 1e-5);
        });
      });
    }
  });
});
