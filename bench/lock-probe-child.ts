import { join } from "node:path";
import { openSqlite } from "../src/base/sqlite.ts";

/**
 * Asks every millisecond for the write lock of the store in the folder. For each line on standard input it answers with a
 * line: how long others held it each time since the last line, in milliseconds, as JSON.
 */
const [folder = ""] = process.argv.slice(2);
const sqlite = openSqlite(join(folder, "herkoop.sqlite"));
sqlite.pragma("busy_timeout = 0");
let held: number[] = [];
let since: number | undefined;

function isFree(): boolean {
  try {
    sqlite.exec("BEGIN IMMEDIATE");
    sqlite.exec("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

let last = performance.now();
setInterval(() => {
  const now = performance.now();
  if (!isFree()) {
    since ??= last;
  } else if (since !== undefined) {
    held.push(now - since);
    since = undefined;
  }
  last = now;
}, 1);

process.stdin.on("data", () => {
  process.stdout.write(`${JSON.stringify(held.map((ms) => Math.round(10 * ms) / 10))}\n`);
  held = [];
});
process.stdin.once("end", () => {
  process.exit(0);
});
