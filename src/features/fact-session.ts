import type { DuckDb, Store } from "../base/index.ts";
import { factsFolder } from "./facts.ts";
import { openFacts } from "./offline-store.ts";

/** Runs work in a session with the facts of now. */
export async function withFacts<T>(
  store: Store,
  work: (duckdb: DuckDb, folder: string) => Promise<T>,
): Promise<T> {
  const folder = await factsFolder(store);
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 700 });
  try {
    await openFacts(duckdb, folder);
    return await work(duckdb, folder);
  } finally {
    duckdb.close();
  }
}
