import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { literal, openDuckDb } from "../src/base/index.ts";
import { type BenchResult, circumstances, type Figure, figureOf, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = join(ROOT, ".venv", "bin", "python");
const SEED = 1;
/** Further arguments say otherwise: `npm run bench -- import 10000000 1`. */
const ROWS = 1_000_000;
const RUNS = 3;
const FORMATS = ["parquet", "csv"] as const;
type Format = (typeof FORMATS)[number];

interface Measured {
  readonly rows: number;
  readonly seconds: number;
  readonly peakMiB: number;
}

/**
 * Brings order lines from Parquet and CSV into an empty history, beside what reading and writing alone
 * cost: DuckDB's COPY of the same file, and pandas. Each run is a process of its own, the systems take
 * turns, and peak memory is that of the process, its runtime included.
 */
export async function run(): Promise<void> {
  const rows = Number(process.argv[3] ?? ROWS);
  const runs = Number(process.argv[4] ?? RUNS);
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  try {
    await generate(work, rows);
    const measured = new Map<string, Measured[]>();
    for (let round = 0; round < runs; round++) {
      for (const format of FORMATS) {
        for (const [system, measure] of systems()) {
          const one = measure(join(work, `orders.${format}`));
          console.error(`${system}, ${format}: ${JSON.stringify(one)}`);
          const key = `${system} ${format}`;
          measured.set(key, [...(measured.get(key) ?? []), one]);
        }
      }
    }
    writeResult(resultOf(rows, measured));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function systems(): [string, (file: string) => Measured][] {
  const child = (system: string) => (file: string) =>
    measure(process.execPath, [
      "--import",
      "tsx",
      join(import.meta.dirname, "import-child.ts"),
      system,
      file,
    ]);
  const pandas = (file: string): Measured =>
    measure(PYTHON, [join(import.meta.dirname, "peers", "pandas_import.py"), file]);
  return [
    ["herkoop", child("herkoop")],
    ["duckdb copy", child("duckdb")],
    ...(hasPandas() ? [["pandas", pandas] as [string, typeof pandas]] : []),
  ];
}

function hasPandas(): boolean {
  if (!existsSync(PYTHON)) {
    return false;
  }
  try {
    execFileSync(PYTHON, ["-c", "import pandas, pyarrow"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function measure(program: string, args: readonly string[]): Measured {
  const said = execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(said) as Measured;
}

/** Two years of order lines of a shop, one in fifty a refund; the same rows as Parquet and as CSV. */
async function generate(folder: string, rows: number): Promise<void> {
  const duckdb = await openDuckDb({ temporaryFolder: folder });
  const draw = (what: number, below: number): string => `hash(i, ${what}, ${SEED}) % ${below}`;
  try {
    const sql = `SELECT 'o' || (i // 3) AS order_no, 'c' || ${draw(1, Math.ceil(rows / 20))} AS customer_no,
        'sku-' || ${draw(2, 5000)} AS sku, 'Product number ' || ${draw(2, 5000)} AS title, CAST(1 + ${draw(3, 5)} AS INTEGER) AS qty,
        CAST(1 + ${draw(4, 10_000)} AS DOUBLE) / 100 AS unit_price, CASE WHEN ${draw(5, 50)} = 0 THEN 'returned' ELSE 'paid' END AS status,
        TIMESTAMP '2022-01-01' + to_seconds(CAST(i * (63072000.0 / ${rows}) AS BIGINT)) AS created, ['NL', 'DE', 'FR'][1 + CAST(${draw(6, 3)} AS INTEGER)] AS country
      FROM range(${rows}) t(i)`;
    for (const format of FORMATS) {
      const file = literal(join(folder, `orders.${format}`));
      await duckdb.run(`COPY (${sql}) TO ${file} (FORMAT ${format})`);
    }
  } finally {
    duckdb.close();
  }
}

function resultOf(rows: number, measured: ReadonlyMap<string, Measured[]>): BenchResult {
  const figures = (system: string): Record<string, Figure> =>
    Object.fromEntries(
      FORMATS.flatMap((format) => {
        const runs = measured.get(`${system} ${format}`) ?? [];
        const rate = runs.map((one) => one.rows / one.seconds);
        return [
          [`${format}_rows_per_second`, figureOf(rate, "rows")],
          [
            `${format}_peak_mib`,
            figureOf(
              runs.map((one) => one.peakMiB),
              "MiB",
            ),
          ],
        ];
      }),
    );
  const herkoop = figures("herkoop");
  const rate = (format: Format): number => herkoop[`${format}_rows_per_second`]?.mean ?? 0;
  const peak = Math.max(
    ...FORMATS.map((format) => herkoop[`${format}_peak_mib`]?.interval[1] ?? 0),
  );
  return {
    ...circumstances("import"),
    versions: { node: process.versions.node },
    systems: {
      herkoop,
      "duckdb copy": figures("duckdb copy"),
      pandas: hasPandas() ? figures("pandas") : { absent: "pandas or pyarrow is not installed" },
    },
    goals: [
      { text: "Parquet: >= 300,000 rows/s", met: rate("parquet") >= 300_000 },
      { text: "CSV: >= 150,000 rows/s", met: rate("csv") >= 150_000 },
      { text: `peak memory below 1,536 MiB, of ${rows} rows`, met: peak < 1536 },
    ],
    notes: [
      `${rows} order lines of nine columns, seed ${SEED}. Herkoop maps, checks, deduplicates, sorts and keeps them; DuckDB and pandas read and write alone.`,
    ],
  };
}
