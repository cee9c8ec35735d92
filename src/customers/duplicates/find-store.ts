import type { DuckDb } from "../../base/index.ts";
import {
  BLOCKING_RULES,
  blocksSql,
  candidatesSql,
  randomPairsSql,
  skippedBlocksSql,
} from "./blocking.ts";
import { comparePairsSql } from "./comparisons.ts";
import { patternsSql } from "./estimate.ts";
import type { PersonField } from "./fields.ts";
import { learnParameters } from "./learn-store.ts";
import type { Parameters } from "./parameters.ts";
import { ownSql, scoreSql, weighSql } from "./predict.ts";
import { standardiseSql } from "./standardise.ts";

export interface FindOptions {
  /** The fields that the table `person` has beside `record_id`. */
  readonly fields: readonly PersonField[];
  readonly seed?: number;
  /** Records that share one blocking key; above it the key is no evidence. 1,000 unless given. */
  readonly blockSizeMax?: number;
  /** How many random pairs teach what strangers have in common; 300,000 unless given. */
  readonly randomPairsMax?: number;
}

/** A blocking rule's keys that too many records share. */
export interface SkippedBlocks {
  readonly rule: string;
  readonly blocks: number;
  readonly largest: number;
  readonly pairs: number;
}

/** What a search did; the pairs themselves are in the session's table `scored`. */
export interface Found {
  readonly records: number;
  readonly candidates: number;
  readonly parameters: Parameters;
  readonly skipped: readonly SkippedBlocks[];
}

/**
 * Scores the probable duplicates of the session's table `person` into its table `scored`: candidates by
 * blocking, u of random pairs, m by EM without labels in a pass per training rule and then over all
 * candidates, weights with value frequencies. The same people give the same weights in any order.
 */
export async function findDuplicates(duckdb: DuckDb, options: FindOptions): Promise<Found> {
  for (const sql of standardiseSql(options.fields)) {
    await duckdb.run(sql);
  }
  const records = await countOf(duckdb, "record");
  await duckdb.run(
    blocksSql({
      blockSizeMax: options.blockSizeMax ?? 1000,
      rulePairsMax: Math.max(200_000, 5 * records),
      looseRulePairsMax: Math.max(50_000, records),
    }),
  );
  await duckdb.run(comparePairsSql("compared", candidatesSql()));
  await duckdb.run(
    comparePairsSql(
      "random_compared",
      randomPairsSql(records, options.randomPairsMax ?? 300_000, options.seed ?? 1),
    ),
  );
  await duckdb.run(patternsSql("candidate_pattern", "compared"));
  await duckdb.run(patternsSql("random_pattern", "random_compared"));
  const parameters = await learnParameters(duckdb, records);
  await duckdb.run(weighSql("compared", parameters));
  await duckdb.run(ownSql());
  await duckdb.run(scoreSql(parameters));
  const skipped = await duckdb.rows(skippedBlocksSql());
  return {
    records,
    candidates: await countOf(duckdb, "compared"),
    parameters,
    skipped: skipped.map((row) => ({
      rule: BLOCKING_RULES[Number(row["rule"])]?.name ?? "",
      blocks: Number(row["blocks"]),
      largest: Number(row["largest"]),
      pairs: Number(row["pairs"]),
    })),
  };
}

async function countOf(duckdb: DuckDb, table: string): Promise<number> {
  const [row] = await duckdb.rows(`SELECT count(*) AS rows FROM ${table}`);
  return Number(row?.["rows"] ?? 0);
}
