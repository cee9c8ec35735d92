import { existsSync, readFileSync } from "node:fs";
import { type DuckDb, literal } from "../../src/base/index.ts";

/**
 * The features that every system computes for each customer with an event before the cutoff; days are
 * fractions, what there is none of is unknown, counts are 0 then.
 *
 * recency and view_days: since the last purchase and view; n_cat: distinct categories viewed; sessions_N:
 * sessions with an event in the last N days; ip_mean and ip_std (of the sample): between purchases;
 * open_carts: products put into the cart later than they were last bought.
 */
export const FEATURES = [
  "n_events",
  "recency",
  "frequency",
  "monetary",
  "n_cat",
  "sessions_1",
  "sessions_7",
  "sessions_30",
  "sessions_90",
  "ip_mean",
  "ip_std",
  "view_days",
  "open_carts",
] as const;

/** What a child prints: one JSON line. Sums leave out what is unknown. */
export interface Measured {
  readonly seconds: number;
  /** Of all threads, from and to the same instants as `seconds`. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly rows: number;
  readonly checksum: Readonly<Record<(typeof FEATURES)[number], number>>;
}

/** What passed since, on the clock and, of all threads, on the processor. */
export function stopwatch(): () => Pick<Measured, "seconds" | "cpuSeconds"> {
  const [begin, usage] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(usage);
    return { seconds: (performance.now() - begin) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}

/** This process's own so far. */
export function peakMiB(): number {
  return process.resourceUsage().maxRSS / 1024;
}

/** Another process's so far; 0 where the system does not tell. */
export function peakMiBOf(pid: number): number {
  const status = `/proc/${pid}/status`;
  const [, kib = "0"] = existsSync(status)
    ? (/VmHWM:\s+(\d+) kB/.exec(readFileSync(status, "utf8")) ?? [])
    : [];
  return Number(kib) / 1024;
}

/** What a Parquet file of features sums up to. */
export async function checksumOf(
  duckdb: DuckDb,
  file: string,
): Promise<Pick<Measured, "rows" | "checksum">> {
  const sums = FEATURES.map((name) => `CAST(coalesce(sum(${name}), 0) AS DOUBLE) AS ${name}`);
  const [row] = await duckdb.rows(
    `SELECT count(*) AS n, ${sums.join(", ")} FROM read_parquet(${literal(file)})`,
  );
  return { rows: Number(row?.["n"]), checksum: readSums(row) };
}

/** The sums in a row by name. */
export function readSums(row: Readonly<Record<string, unknown>> | undefined): Measured["checksum"] {
  return Object.fromEntries(
    FEATURES.map((name) => [name, Number(row?.[name])]),
  ) as Measured["checksum"];
}

const TOLERANCE = 1e-6;

/** Where two systems' rows and sums differ by more than a millionth. */
export function differences(one: Measured, other: Measured): string[] {
  const rows = one.rows === other.rows ? [] : [`rows: ${one.rows} and ${other.rows}`];
  const sums = FEATURES.filter((name) => !isNear(one.checksum[name], other.checksum[name])).map(
    (name) => `${name}: ${one.checksum[name]} and ${other.checksum[name]}`,
  );
  return [...rows, ...sums];
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}
