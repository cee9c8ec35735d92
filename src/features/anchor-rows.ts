import { DAY_MS, type DuckDb, type Step } from "../base/index.ts";
import { neededFor } from "./catalogue.ts";
import { duckDbDialect } from "./dialect.ts";
import type { FeatureService } from "./feature-service.ts";
import { ENTITY_KEYS, isPopulation } from "./feature-view.ts";
import { atCutoff, atEachRow } from "./instants.ts";
import { eachRowSql, populationSql, populationTableName } from "./rows-sql.ts";

/** So many facts at most, times the instants that see them, are joined at a time. */
const FACT_ROWS_MAX = 2_000_000;

/** How far it went. */
export interface AnchorReport {
  /** UTC days at whose start the population was looked at. */
  readonly days: number;
  /** Parts in which customers were computed. */
  readonly parts: number;
}

/**
 * Computes a service's features for the rows of the table `anchor` (`row_number`, `customer_id`, `product`,
 * `category`, `cutoff_ms`) over the table `fact`, each as known at its own instant, into the table `computed`
 * (`row_number` and the features). A row of nobody (`customer_id` is NULL) has every feature's default.
 * Instants go through in parts of at most `factRowsMax` facts (one instant is never divided).
 */
export async function computeAnchors(
  duckdb: DuckDb,
  service: FeatureService,
  step: Step,
  factRowsMax = FACT_ROWS_MAX,
): Promise<AnchorReport> {
  const parts = await divide(duckdb, factRowsMax);
  const population = neededFor(service.features).views.filter(({ view }) =>
    isPopulation(view.entity),
  );
  const days = population.length === 0 ? [] : await daysOf(duckdb);
  const total = days.length + parts.length;
  for (const needed of population) {
    const from = populationSql(needed, 0, atCutoff(0, duckDbDialect));
    await duckdb.run(
      `CREATE OR REPLACE TEMP TABLE ${populationTableName(needed.view)} AS SELECT * FROM (${from}) WHERE 1 = 0`,
    );
  }
  for (const [index, day] of days.entries()) {
    for (const needed of population) {
      const key = ENTITY_KEYS[needed.view.entity][0] ?? "";
      await duckdb.run(
        `INSERT INTO ${populationTableName(needed.view)} SELECT * FROM (${populationSql(needed, day, atCutoff(day, duckDbDialect))})
         WHERE ${key} IN (SELECT ${key} FROM anchor WHERE cutoff_ms >= ${day} AND cutoff_ms < ${day + DAY_MS})`,
      );
    }
    step.update(index + 1, total);
  }
  for (const [index, part] of parts.entries()) {
    await computePart(duckdb, service, part, index === 0);
    step.update(days.length + index + 1, total);
  }
  return { days: days.length, parts: parts.length };
}

/** Numbers every instant's part; returns the numbers, one at least. */
async function divide(duckdb: DuckDb, factRowsMax: number): Promise<number[]> {
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE instant_part AS
     SELECT customer_id, cutoff_ms, CAST((sum(weight) OVER (ORDER BY customer_id, cutoff_ms) - 1) // ${factRowsMax} AS INTEGER) AS part FROM (
       SELECT i.customer_id, i.cutoff_ms, 1 + coalesce(f.n, 0) AS weight
       FROM (SELECT DISTINCT customer_id, cutoff_ms FROM anchor WHERE customer_id IS NOT NULL) i
       LEFT JOIN (SELECT customer_id, count(*) AS n FROM fact GROUP BY customer_id) f ON f.customer_id = i.customer_id)`,
  );
  const rows = await duckdb.rows("SELECT DISTINCT part FROM instant_part ORDER BY part");
  return rows.length === 0 ? [0] : rows.map((row) => Number(row["part"]));
}

async function daysOf(duckdb: DuckDb): Promise<number[]> {
  const rows = await duckdb.rows(
    `SELECT DISTINCT cutoff_ms - cutoff_ms % ${DAY_MS} AS day FROM anchor ORDER BY day`,
  );
  return rows.map((row) => Number(row["day"]));
}

async function computePart(
  duckdb: DuckDb,
  service: FeatureService,
  part: number,
  isFirst: boolean,
): Promise<void> {
  const keys = ENTITY_KEYS[service.entity];
  const columns = ["row_number", ...keys, "cutoff_ms"].map((name) => `a.${name}`).join(", ");
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE instant AS SELECT customer_id, cutoff_ms FROM instant_part WHERE part = ${part}`,
  );
  await duckdb.run(
    `CREATE OR REPLACE TEMP TABLE spine_row AS
     SELECT ${columns} FROM anchor a JOIN instant i ON i.customer_id = a.customer_id AND i.cutoff_ms = a.cutoff_ms
     ${isFirst ? `UNION ALL SELECT ${columns} FROM anchor a WHERE a.customer_id IS NULL` : ""}`,
  );
  const sql = eachRowSql(service, atEachRow(duckDbDialect));
  await duckdb.run(
    isFirst ? `CREATE OR REPLACE TEMP TABLE computed AS ${sql}` : `INSERT INTO computed ${sql}`,
  );
}
