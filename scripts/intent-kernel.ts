import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import wabt from "wabt";

const FOLDER = join(import.meta.dirname, "..", "src", "models", "intent");

/** The bytes that the text of the intent kernel, kernel.wat, stands for. Throws where it is no valid module. */
export async function assembleKernel(): Promise<Uint8Array> {
  const tools = await wabt();
  const text = readFileSync(join(FOLDER, "kernel.wat"), "utf8");
  const module = tools.parseWat("kernel.wat", text, { simd: true });
  try {
    module.validate();
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(FOLDER, "kernel.wasm"), await assembleKernel());
}
