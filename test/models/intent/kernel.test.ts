import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { assembleKernel } from "../../../scripts/intent-kernel.ts";

const FOLDER = join(import.meta.dirname, "..", "..", "..", "src", "models", "intent");

describe("models/intent/kernel", () => {
  it("is what its text says", async () => {
    const bytes = readFileSync(join(FOLDER, "kernel.wasm"));
    expect(Buffer.from(await assembleKernel()).equals(bytes), "npm run kernel").to.equal(true);
  });
});
