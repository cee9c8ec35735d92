import { join } from "node:path";
import type { DuckDb, Store } from "../base/index.ts";
import { type HistoryFacts, readFacts } from "./history-facts.ts";
import { importRuns, type ManifestEntry, sourceMappings } from "./history-store.ts";
import { retiredFiles } from "./retired-store.ts";

/** Which imports brought the rows of files, and what a file that takes their place replaces. */
export type Origins = Pick<HistoryFacts, "imports" | "mappings" | "replaces">;

/**
 * What a file that takes the place of visible ones says of where its rows come from: what they say, or where they were
 * older than that, what the database knows of them.
 */
export async function originsOf(
  duckdb: DuckDb,
  store: Store,
  parts: readonly ManifestEntry[],
): Promise<Origins> {
  const imports = new Map<string, HistoryFacts["imports"][number]>();
  let mappings: HistoryFacts["mappings"] = {};
  for (const part of parts) {
    const path = join(store.path("history"), part.name);
    const facts = (await readFacts(duckdb, path)) ?? factsInDatabase(store, part);
    for (const run of facts.imports) {
      imports.set(run.id, run);
    }
    mappings = { ...mappings, ...facts.mappings };
  }
  // Of files that an earlier one replaced and that still lie in the folder, too: that one may be gone by then.
  const replaces = [...new Set([...retiredFiles(store), ...parts.map(({ name }) => name)])];
  return { imports: [...imports.values()], mappings, replaces };
}

function factsInDatabase(
  store: Store,
  { importRunId }: ManifestEntry,
): Pick<HistoryFacts, "imports" | "mappings"> {
  const run = importRuns(store).find(({ id }) => id === importRunId);
  const mapping = run === undefined ? undefined : sourceMappings(store).get(run.source);
  return {
    imports: run === undefined ? [] : [run],
    mappings: run === undefined || mapping === undefined ? {} : { [run.source]: mapping },
  };
}
