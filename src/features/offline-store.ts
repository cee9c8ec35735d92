import { join } from "node:path";
import { type DuckDb, literal, type SqlRow, type Store } from "../base/index.ts";
import { BROWSING_EVENTS, historySql } from "../collection/index.ts";
import { type BuildRequest, buildFile } from "./build.ts";
import { openFactSession } from "./fact-session.ts";
import { type FactsOptions, factsDigest } from "./facts.ts";
import { featuresOf } from "./feature-service.ts";

/** Whether any browsing event had happened and was known before an instant (epoch ms). */
export async function hasBrowsing(store: Store, before: number): Promise<boolean> {
  const duckdb = await store.openDuckDb({ memoryLimitMiB: 200 });
  try {
    const names = BROWSING_EVENTS.map((name) => literal(name)).join(", ");
    return (
      (
        await duckdb.rows(
          `SELECT 1 AS found FROM ${historySql(store)} WHERE event IN (${names})
           AND occurred_at_ms < ${before} AND known_at_ms < ${before} LIMIT 1`,
        )
      ).length > 0
    );
  } finally {
    duckdb.close();
  }
}

/** A session over the store in which features can be built at any cutoff. Close it after use. */
export interface OfflineStore {
  /** What its facts were made of, as a digest. */
  readonly facts: string;
  /**
   * Writes the rows of the given cutoffs (epoch ms) to one file, Parquet or by its name CSV, ordered by cutoff
   * and key, and returns their number. The file appears whole or not at all. `onCutoff` is told after each cutoff.
   */
  build(request: BuildRequest, onCutoff?: (done: number, total: number) => void): Promise<number>;
  /** How many order lines and browsing events there are, and when the first order was (epoch ms; null without any). */
  describe(): Promise<{
    readonly orderLines: number;
    readonly browsingEvents: number;
    readonly firstOrderAt: number | null;
  }>;
  /** The product groups with their most frequent name. */
  productNames(): Promise<{ readonly product: string; readonly name: string | null }[]>;
  close(): void;
}

/** Opens the facts of a store, which are brought up to date with its history first. */
export async function openOfflineStore(
  store: Store,
  options: FactsOptions = {},
): Promise<OfflineStore> {
  const { duckdb, folder, facts } = await openFactSession(store, options);
  return {
    build: async (request, onCutoff) => {
      featuresOf(request.service);
      return buildFile(duckdb, facts, store.path("temporary"), request, onCutoff);
    },
    facts: factsDigest(folder),
    describe: () => describe(duckdb),
    productNames: async () => {
      const rows = await duckdb.rows(
        `SELECT product, name FROM read_parquet(${literal(join(folder, "product.parquet"))}) ORDER BY product`,
      );
      return rows.map((row) => ({ product: String(row["product"]), name: textOf(row["name"]) }));
    },
    close: () => {
      duckdb.close();
    },
  };
}

function textOf(value: SqlRow[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

async function describe(duckdb: DuckDb): ReturnType<OfflineStore["describe"]> {
  const row = (
    await duckdb.rows(
      `SELECT sum(CASE WHEN kind = 'order' THEN 1 ELSE 0 END) AS orders, sum(CASE WHEN kind = 'browse' THEN 1 ELSE 0 END) AS browsing,
              min(CASE WHEN kind = 'order' THEN occurred_at_ms END) AS first FROM fact WHERE kind IN ('order', 'browse')`,
    )
  )[0];
  const first = row?.["first"] ?? null;
  return {
    orderLines: Number(row?.["orders"] ?? 0),
    browsingEvents: Number(row?.["browsing"] ?? 0),
    firstOrderAt: first === null ? null : Number(first),
  };
}
