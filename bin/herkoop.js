#!/usr/bin/env -S node --max-semi-space-size=32
import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { register } from "tsx/esm/api";

// Loading the program takes seconds of processor time: a batch command lets a server go first from its beginning on.
const BATCH = JSON.parse(readFileSync(new URL("./batch-commands.json", import.meta.url), "utf8"));
const words = process.argv
  .slice(2)
  .filter((word, at, all) => !word.startsWith("-") && all[at - 1] !== "--store");
if (BATCH.includes(words[0]) || BATCH.includes(words.slice(0, 2).join(" "))) {
  try {
    for (const thread of readdirSync("/proc/self/task")) {
      setPriority(Number(thread), 10);
    }
  } catch {
    // A system without threads to list, or that does not allow it: the command asks again once it is loaded.
  }
}

register();
await import("../src/cli.ts");
