import {
  type DuckDb,
  literal,
  quoted,
  ServiceError,
  type Step,
  type Store,
} from "../base/index.ts";
import { identifierTypes } from "../customers/index.ts";
import { computeAnchors } from "./anchor-rows.ts";
import { withFacts } from "./fact-session.ts";
import { factsDigest } from "./facts.ts";
import { type FeatureService, featuresOf } from "./feature-service.ts";
import { ENTITY_KEYS } from "./feature-view.ts";
import { findOwners } from "./row-customers.ts";
import {
  cellTextSql,
  type GivenRows,
  instantSql,
  numbersAmong,
  ROW,
  readRowFile,
} from "./row-file.ts";

/** The column that tells whether the store knows a row's customer (or product, or category). */
const IS_KNOWN = "is_known";

export interface HistoricalRowsRequest {
  readonly service: FeatureService;
  /** CSV, JSON lines or Parquet, by its name. */
  readonly rows: string;
  /** The Parquet file to write. */
  readonly file: string;
  /** Where phone numbers without a country code are from (ISO 3166-1 alpha-2). */
  readonly region?: string;
  /** How many facts are joined at a time, at most. */
  readonly factRowsMax?: number;
}

export interface HistoricalRows {
  readonly rows: number;
  /** Rows of nobody whom the store knows. */
  readonly unknownRows: number;
  /** How many different instants they have. */
  readonly cutoffs: number;
  /** The first and the last instant of the rows, epoch ms; null without any. */
  readonly firstCutoff: number | null;
  readonly lastCutoff: number | null;
  /** UTC days at whose start the population was looked at, and parts in which rows were computed. */
  readonly days: number;
  readonly parts: number;
  /** What the facts were made of, as a digest. */
  readonly facts: string;
}

/**
 * Writes the rows of a file again, in their order, each with a service's features as known at the row's own
 * instant: of what had happened and was known strictly before it (Feast's get_historical_features). A row
 * of an unknown customer has every feature's default, and `is_known` false. Throws `invalid-input` naming
 * column and row.
 */
export async function writeHistoricalRows(
  store: Store,
  request: HistoricalRowsRequest,
  step: Step,
): Promise<HistoricalRows> {
  const { service } = request;
  featuresOf(service);
  return withFacts(store, async (duckdb, folder) => {
    const given = await readRowFile(duckdb, request.rows, service.entity, identifierTypes(store));
    refuseTaken(given, service);
    await findOwners(duckdb, store, given, request.region);
    await createAnchors(duckdb, given, service);
    const numbers = await numbersAmong(duckdb, given);
    const report = await computeAnchors(duckdb, service, step, request.factRowsMax);
    const select = [
      ...given.columns.map((column) => keptSql(column, numbers)),
      `${await knownSql(duckdb, service)} AS ${IS_KNOWN}`,
      ...service.features.map((name) => `c.${name}`),
    ];
    await duckdb.run(
      `COPY (SELECT ${select.join(", ")} FROM given g JOIN anchor a ON a.row_number = g.${ROW} JOIN computed c ON c.row_number = a.row_number
             ORDER BY g.${ROW}) TO ${literal(request.file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    const [row] = await duckdb.rows(
      `SELECT count(*) AS n, sum(CASE WHEN ${await knownSql(duckdb, service)} THEN 0 ELSE 1 END) AS unknown,
              count(DISTINCT cutoff_ms) AS cutoffs, min(cutoff_ms) AS first, max(cutoff_ms) AS last FROM anchor a`,
    );
    const instant = (name: string): number | null =>
      (row?.[name] ?? null) === null ? null : Number(row?.[name]);
    return {
      rows: Number(row?.["n"]),
      unknownRows: Number(row?.["unknown"] ?? 0),
      firstCutoff: instant("first"),
      lastCutoff: instant("last"),
      cutoffs: Number(row?.["cutoffs"]),
      ...report,
      facts: factsDigest(folder),
    };
  });
}

/** A column of `given g` as it is written: as it came, numbers of text as numbers. */
function keptSql(column: string, numbers: ReadonlyMap<string, string>): string {
  const type = numbers.get(column);
  const cell = `g.${quoted(column)}`;
  return type === undefined ? cell : `CAST(${cell} AS ${type}) AS ${quoted(column)}`;
}

function refuseTaken({ columns }: GivenRows, service: FeatureService): void {
  const made = new Set([...service.features, IS_KNOWN]);
  const taken = columns.filter((column) => made.has(column.toLowerCase()));
  if (taken.length > 0) {
    throw new ServiceError(
      "invalid-input",
      `rows: the columns ${taken.join(", ")} have names of what is to be added; rename or drop them`,
      { field: taken[0] ?? "rows" },
    );
  }
}

async function createAnchors(
  duckdb: DuckDb,
  given: GivenRows,
  { entity }: FeatureService,
): Promise<void> {
  const keys = ENTITY_KEYS[entity];
  const key = (name: string): string =>
    keys.includes(name) ? keySql(name, given) : "CAST(NULL AS VARCHAR)";
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE anchor AS
     SELECT g.${ROW} AS row_number, o.customer_id, g.product_key AS product, g.category_key AS category, g.instant_key AS cutoff_ms
     FROM (SELECT ${ROW}, ${key("product")} AS product_key, ${key("category")} AS category_key,
                  ${instantSql(given.timeColumn, given.types)} AS instant_key FROM given) g
     LEFT JOIN owner o ON o.${ROW} = g.${ROW}`,
  );
  await refuseUnread(
    duckdb,
    given,
    given.timeColumn,
    "cutoff_ms",
    "a date such as 2011-09-17, an instant with a zone such as 2011-09-17T08:00:00Z, or epoch milliseconds",
  );
  for (const name of ["product", "category"].filter((one) => keys.includes(one))) {
    await refuseUnread(duckdb, given, name, name, `a ${name}`);
  }
}

/** A product's or category's name as it is; NULL where there is none. */
function keySql(name: string, { types }: GivenRows): string {
  const text = cellTextSql(name, types);
  return types.get(name) === "VARCHAR"
    ? `CASE WHEN ${text} IS NOT NULL THEN ${quoted(name)} END`
    : text;
}

async function refuseUnread(
  duckdb: DuckDb,
  given: GivenRows,
  column: string,
  readAs: string,
  expected: string,
): Promise<void> {
  const [wrong] = await duckdb.rows(
    `SELECT ${ROW} AS number, ${cellTextSql(column, given.types)} AS found FROM given
     WHERE ${ROW} = (SELECT min(row_number) FROM anchor WHERE ${readAs} IS NULL)`,
  );
  if (wrong !== undefined) {
    const found = wrong["found"] ?? null;
    throw new ServiceError(
      "invalid-input",
      `${column}: row ${String(wrong["number"])}: expected ${expected}, found ${found === null ? "nothing" : `"${String(found)}"`}`,
      { field: column },
    );
  }
}

/** Whether the row of `anchor a` is of something known. */
async function knownSql(duckdb: DuckDb, { entity }: FeatureService): Promise<string> {
  if (entity !== "product" && entity !== "category") {
    return "a.customer_id IS NOT NULL";
  }
  await duckdb.run(
    `CREATE TEMP TABLE IF NOT EXISTS known_name AS SELECT DISTINCT ${entity} AS name FROM fact WHERE ${entity} IS NOT NULL`,
  );
  return `a.${entity} IN (SELECT name FROM known_name)`;
}
