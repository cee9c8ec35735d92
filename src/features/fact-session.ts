import { type DuckDb, type Store, workingMemoryMiB } from "../base/index.ts";
import { type Facts, factsOf } from "./build.ts";
import { type FactsOptions, factsFolder } from "./facts.ts";

/** A session with everybody's facts of now in the view `fact`. */
export interface FactSession {
  readonly duckdb: DuckDb;
  readonly folder: string;
  readonly facts: Facts;
}

/** Opens a session with the facts of a store. Close its DuckDB after use. */
export async function openFactSession(
  store: Store,
  options: FactsOptions = {},
): Promise<FactSession> {
  const folder = await factsFolder(store, options);
  const duckdb = await store.openDuckDb({
    memoryLimitMiB: options.memoryLimitMiB ?? workingMemoryMiB(),
  });
  const facts = factsOf(duckdb, folder);
  try {
    await facts.open("all");
    return { duckdb, folder, facts };
  } catch (error) {
    duckdb.close();
    throw error;
  }
}

/** Runs work in a session with the facts of now. */
export async function withFacts<T>(
  store: Store,
  work: (duckdb: DuckDb, folder: string) => Promise<T>,
): Promise<T> {
  const { duckdb, folder } = await openFactSession(store);
  try {
    return await work(duckdb, folder);
  } finally {
    duckdb.close();
  }
}
