import { type DuckDb, openDuckDb, type SqlRow } from "../../src/base/index.ts";
import { PERSON_FIELDS, type PersonField } from "../../src/customers/duplicates/fields.ts";
import {
  type FindOptions,
  type Found,
  findDuplicates,
} from "../../src/customers/duplicates/find-store.ts";
import type { PersonRow } from "./people.ts";
import { inFolder } from "./temporary.ts";

type Row = Readonly<Partial<Record<PersonField, string | null>>> & { readonly record_id: string };

/** Fewer than in earnest, for speed. */
const RANDOM_PAIRS = 30_000;

/** Runs work in a DuckDB session whose table `person` holds the rows. */
export async function withPeople<T>(
  rows: readonly Row[],
  work: (duckdb: DuckDb) => Promise<T>,
  fields: readonly PersonField[] = PERSON_FIELDS,
): Promise<T> {
  return inFolder(async (temporaryFolder) => {
    const duckdb = await openDuckDb({ temporaryFolder });
    try {
      const columns = ["record_id", ...fields].map((name) => `${name} VARCHAR`);
      await duckdb.run(`CREATE TEMP TABLE person (${columns.join(", ")})`);
      const values = rows.map((row) => [row.record_id, ...fields.map((name) => row[name] ?? null)]);
      await duckdb.append("person", values);
      return await work(duckdb);
    } finally {
      duckdb.close();
    }
  });
}

/** Searches the rows for duplicates: what was found, and all scored pairs, the heaviest first. */
export async function search(
  rows: readonly Row[],
  options: Partial<FindOptions> = {},
): Promise<{ readonly found: Found; readonly pairs: readonly SqlRow[] }> {
  const fields = options.fields ?? PERSON_FIELDS;
  return withPeople(
    rows,
    async (duckdb) => {
      const found = await findDuplicates(duckdb, {
        randomPairsMax: RANDOM_PAIRS,
        ...options,
        fields,
      });
      const pairs = await duckdb.rows(
        "SELECT * FROM scored ORDER BY match_weight DESC, l_id, r_id",
      );
      return { found, pairs };
    },
    fields,
  );
}

/** Precision, recall and F1 of the pairs from a match weight on, against the truth of the rows. */
export function judge(
  rows: readonly PersonRow[],
  pairs: readonly SqlRow[],
  from = 0,
): { readonly precision: number; readonly recall: number; readonly f1: number } {
  const truth = new Map(rows.map((row) => [row.record_id, row.truth]));
  const sizes = new Map<string, number>();
  for (const row of rows) {
    sizes.set(row.truth, (sizes.get(row.truth) ?? 0) + 1);
  }
  const expected = [...sizes.values()].reduce((sum, size) => sum + (size * (size - 1)) / 2, 0);
  const found = pairs.filter((pair) => Number(pair["match_weight"]) >= from);
  const right = found.filter(
    (pair) => truth.get(String(pair["l_id"])) === truth.get(String(pair["r_id"])),
  ).length;
  const precision = right / Math.max(found.length, 1);
  const recall = right / expected;
  return { precision, recall, f1: (2 * precision * recall) / (precision + recall) };
}
