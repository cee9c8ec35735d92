import { type DuckDb, quoted } from "../base/index.ts";

/** The quantiles that are kept of each feature. */
export const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

/** What a column's numbers are like; null where there are none. */
export interface ColumnStatistics {
  readonly rows: number;
  /** The share of rows where it is unknown; 0 of no rows. */
  readonly nullRate: number;
  readonly min: number | null;
  /** At QUANTILES, interpolated. */
  readonly quantiles: readonly number[] | null;
  readonly max: number | null;
  readonly mean: number | null;
}

/** So many numbers at most are held for exact quantiles. */
const NUMBERS_MAX = 8_000_000;

/**
 * Statistics of numeric columns of a table expression over a Parquet file. Each column is read once, as many
 * at a time as fit in memory; quantiles of columns longer than `numbersMax` are estimates (t-digest).
 */
export async function buildStatistics(
  duckdb: DuckDb,
  from: string,
  columns: readonly string[],
  numbersMax = NUMBERS_MAX,
): Promise<ReadonlyMap<string, ColumnStatistics>> {
  const rows = Number((await duckdb.rows(`SELECT count(*) AS n FROM ${from}`))[0]?.["n"]);
  const width = Math.max(1, Math.floor(numbersMax / Math.max(1, rows)));
  const quantile = rows > numbersMax ? "approx_quantile" : "quantile_cont";
  const found = new Map<string, ColumnStatistics>();
  for (let at = 0; at < columns.length; at += width) {
    const group = columns.slice(at, at + width);
    const [row = {}] = await duckdb.rows(
      `SELECT ${group.map((column, index) => columnSql(quoted(column), index, quantile)).join(", ")} FROM ${from}`,
    );
    const number = (name: string): number | null =>
      (row[name] ?? null) === null ? null : Number(row[name]);
    group.forEach((column, index) => {
      const quantiles = QUANTILES.map((_, which) => number(`q${which}_${index}`));
      const known = Number(row[`n_${index}`]);
      found.set(column, {
        rows,
        nullRate: rows === 0 ? 0 : (rows - known) / rows,
        min: number(`min_${index}`),
        quantiles: quantiles.every((one) => one !== null) ? quantiles : null,
        max: number(`max_${index}`),
        mean: number(`mean_${index}`),
      });
    });
  }
  return found;
}

function columnSql(cell: string, index: number, quantile: string): string {
  const value = `CAST(${cell} AS DOUBLE)`;
  return [
    `count(${cell}) AS n_${index}`,
    `min(${value}) AS min_${index}`,
    `max(${value}) AS max_${index}`,
    `avg(${value}) AS mean_${index}`,
    ...QUANTILES.map((share, which) => `${quantile}(${value}, ${share}) AS q${which}_${index}`),
  ].join(", ");
}
