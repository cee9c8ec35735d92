import { type DuckDb, ServiceError, type Store } from "../base/index.ts";
import { normaliseIdentifier } from "../collection/index.ts";
import { openCustomerIds, openCustomerNumbers } from "../customers/index.ts";
import { cellTextSql, type GivenRows, ROW } from "./row-file.ts";

const PAGE = 50_000;

/**
 * Makes the table `owner` (`#row`, `customer_id`) of the rows in `given` that are of somebody the store knows:
 * by the strongest identifier that it knows. Phone numbers without a country code are read as of `region`
 * (ISO 3166-1 alpha-2). Throws `invalid-input` where a customer_id is no whole number.
 */
export async function findOwners(
  duckdb: DuckDb,
  store: Store,
  given: GivenRows,
  region?: string,
): Promise<void> {
  const names = given.customerColumns.map((column) => cellTextSql(column, given.types));
  for (const [index, column] of given.customerColumns.entries()) {
    const text = names[index] ?? "";
    if (column === "customer_id") {
      await refuseNoNumber(duckdb, text);
    }
    await addNames(duckdb, `named_${index}`, text, finderOf(store, column, region));
  }
  const owners = ["NULL", ...names.map((_, index) => `named_${index}.customer_id`)].join(", ");
  const joins = names.map(
    (_, index) => `LEFT JOIN named_${index} ON named_${index}.value = g.name_${index}`,
  );
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE owner AS SELECT * FROM (
       SELECT g.${ROW}, CAST(coalesce(${owners}) AS INTEGER) AS customer_id
       FROM (SELECT ${[ROW, ...names.map((text, index) => `${text} AS name_${index}`)].join(", ")} FROM given) g ${joins.join(" ")}
     ) WHERE customer_id IS NOT NULL`,
  );
}

async function refuseNoNumber(duckdb: DuckDb, text: string): Promise<void> {
  const [wrong] = await duckdb.rows(
    `SELECT ${ROW} AS number, ${text} AS found FROM given WHERE ${text} IS NOT NULL AND NOT regexp_full_match(${text}, '\\d{1,15}') ORDER BY ${ROW} LIMIT 1`,
  );
  if (wrong !== undefined) {
    throw new ServiceError(
      "invalid-input",
      `customer_id: row ${String(wrong["number"])}: expected a customer's number, found "${String(wrong["found"])}"; a source's own id goes into a column named as its type, such as user_id`,
      { field: "customer_id" },
    );
  }
}

type Finder = (text: string) => number | undefined;

function finderOf(store: Store, column: string, region: string | undefined): Finder {
  if (column === "customer_id") {
    const find = openCustomerNumbers(store);
    return (text) => find(Number(text));
  }
  const find = openCustomerIds(store);
  return (text) => find({ type: column, value: normaliseIdentifier(column, text, region) ?? text });
}

/** A table of the distinct texts and whom they name, a page at a time. */
async function addNames(duckdb: DuckDb, table: string, text: string, find: Finder): Promise<void> {
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE distinct_name AS
     SELECT value, row_number() OVER () AS position FROM (SELECT DISTINCT ${text} AS value FROM given) WHERE value IS NOT NULL`,
  );
  await duckdb.run(`CREATE OR REPLACE TEMP TABLE ${table} (value VARCHAR, customer_id DOUBLE)`);
  for (let after = 0; ; after += PAGE) {
    const page = await duckdb.rows(
      `SELECT value FROM distinct_name WHERE position > ${after} AND position <= ${after + PAGE}`,
    );
    if (page.length === 0) {
      break;
    }
    const known = page.flatMap(({ value }) => {
      const id = find(String(value));
      return id === undefined ? [] : [[String(value), id]];
    });
    await duckdb.append(table, known);
  }
  await duckdb.run("DROP TABLE distinct_name");
}
