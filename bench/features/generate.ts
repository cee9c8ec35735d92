import { openDuckDb } from "../../src/base/index.ts";
import { writeCsv, writeEvents } from "./events.ts";
import { writeHistory } from "./history.ts";
import { loadSqlite } from "./load-sqlite.ts";

/**
 * Makes a shop's events in a folder, as flat Parquet and in the further forms that are named: csv, sqlite,
 * history (a Herkoop store), profiles (a Herkoop store with profiles).
 *
 *   node --import tsx bench/features/generate.ts FOLDER EVENTS SEED [FORM...]
 */
const FORMS = ["csv", "sqlite", "history", "profiles"] as const;

const [folder = "", events = "", seed = "", ...forms] = process.argv.slice(2);
const unknown = forms.filter((form) => !FORMS.some((known) => known === form));
if (!(Number(events) > 0) || !(Number(seed) >= 0) || seed === "" || unknown.length > 0) {
  console.error(
    `generate: expected FOLDER EVENTS SEED [${FORMS.join("|")}...], got ${process.argv.slice(2).join(" ")}`,
  );
  process.exit(2);
}

const duckdb = await openDuckDb({ temporaryFolder: folder, memoryLimitMiB: 2048 });
try {
  await timed("parquet", async () => {
    await writeEvents(duckdb, folder, { events: Number(events), seed: Number(seed) });
  });
  if (forms.includes("csv")) {
    await timed("csv", () => writeCsv(duckdb, folder));
  }
  if (forms.includes("sqlite")) {
    await timed("sqlite", () => loadSqlite(duckdb, folder));
  }
} finally {
  duckdb.close();
}
const withProfiles = forms.includes("profiles");
if (withProfiles || forms.includes("history")) {
  await timed("history", () => writeHistory(folder, { withProfiles }));
}

async function timed(what: string, work: () => Promise<void>): Promise<void> {
  const begin = performance.now();
  await work();
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.error(
    `${what}: ${seconds} s, peak ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
  );
}
