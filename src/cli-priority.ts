import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { yieldProcessor } from "./base/index.ts";

/** Commands that compute for long; whoever types another one waits for its answer. */
const BATCH: ReadonlySet<string> = new Set(
  JSON.parse(
    readFileSync(new URL("../bin/batch-commands.json", import.meta.url), "utf8"),
  ) as string[],
);

/** Lets a server on the same machine go first while a batch command runs. */
export function yieldWhileComputing(program: Command): void {
  program.hook("preAction", (_program, action) => {
    if (BATCH.has(nameOf(action))) {
      yieldProcessor();
    }
  });
}

/** As it is typed, such as `features export`. */
function nameOf(command: Command): string {
  const parent = command.parent;
  return parent?.parent === null || parent === null
    ? command.name()
    : `${nameOf(parent)} ${command.name()}`;
}
