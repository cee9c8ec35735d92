import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  acquireWriterLock,
  messageOf,
  openSessions,
  openStore,
  systemClock,
} from "../../src/base/index.ts";

/**
 * Opens a store and says one line of JSON. `hold` is then its writer and reads it by DuckDB, with an unfinished file
 * in the folder `out`, until its standard input ends; `try` wants to write, and ends.
 */
const [mode = "", folder = ""] = process.argv.slice(2);
const store = await openStore(join(folder, "store"));
const refusal = ((): string | null => {
  try {
    acquireWriterLock(store, "import orders.csv", systemClock);
    return null;
  } catch (error) {
    return messageOf(error);
  }
})();
if (mode === "hold") {
  await store.openDuckDb();
  mkdirSync(join(folder, "out"), { recursive: true });
  writeFileSync(store.partial(join(folder, "out", "rows.parquet")), "half");
}
const said = { processId: process.pid, refusal, sessions: openSessions(store) };
process.stdout.write(`${JSON.stringify(said)}\n`);
if (mode === "hold") {
  process.stdin.resume();
  await once(process.stdin, "end");
}
process.exit(0);
