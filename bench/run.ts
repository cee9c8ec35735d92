import { readdirSync } from "node:fs";
import { join } from "node:path";

const [name] = process.argv.slice(2);
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.replace(".bench.ts", ""));
if (name === undefined || !names.includes(name)) {
  console.error(`bench: name one of ${names.join(", ")}`);
  process.exit(2);
}
const { run } = (await import(join(import.meta.dirname, `${name}.bench.ts`))) as {
  run: () => Promise<void> | void;
};
await run();
