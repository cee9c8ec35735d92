import { z } from "zod";
import { type DuckDb, literal } from "../base/index.ts";

/** The key under which a history file's Parquet metadata holds its facts. */
const KEY = "herkoop";

const importRun = z.strictObject({
  id: z.string(),
  source: z.string(),
  file: z.string(),
  checksum: z.string(),
  knownAtRule: z.string(),
  rowsRead: z.int(),
  rowsAccepted: z.int(),
  rowsDuplicate: z.int(),
  rowsRejected: z.int(),
  rejectsFile: z.string().nullable(),
  finishedAt: z.number(),
});

const schema = z.object({
  format: z.literal(1),
  storeId: z.string(),
  /** Of the history, from which the file is visible. */
  generation: z.int(),
  /** Null where it holds several sources. */
  source: z.string().nullable(),
  /** Null where it comes from the inbox. */
  importRunId: z.string().nullable(),
  rows: z.int(),
  /** The imports that brought its rows, with the SHA-256 of the files they read. */
  imports: z.array(importRun),
  /** The mapping of each import's source, as JSON text. */
  mappings: z.record(z.string(), z.string()),
  /** Files that are in the folder no more, or still lie there unread, since this one holds their rows. */
  replaces: z.array(z.string()),
});

/** What a history file says of itself in its Parquet metadata: what is needed to list it again without the database. */
export type HistoryFacts = z.infer<typeof schema>;

/** The option of DuckDB's COPY that writes the facts. */
export function factsOption(facts: HistoryFacts): string {
  return `KV_METADATA {${KEY}: ${literal(JSON.stringify(facts))}}`;
}

/** The facts of a Parquet file; undefined for older and for foreign files. */
export async function readFacts(duckdb: DuckDb, path: string): Promise<HistoryFacts | undefined> {
  const [row] = await duckdb.rows(
    `SELECT decode(value) AS facts FROM parquet_kv_metadata(${literal(path)}) WHERE decode(key) = ${literal(KEY)}`,
  );
  if (row === undefined) {
    return undefined;
  }
  try {
    return schema.safeParse(JSON.parse(String(row["facts"]))).data;
  } catch {
    return undefined;
  }
}
