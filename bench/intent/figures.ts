import { execFileSync } from "node:child_process";
import { type BenchResult, type Figure, figureOf } from "../result.ts";

export type Figures = Readonly<Record<string, number>>;

/** What each system showed in each run. */
export type Runs = ReadonlyMap<string, readonly Figures[]>;

/** Runs a peer's script, which prints one JSON value a line. Throws where it fails. */
export function linesOfPeer<Line>(python: string, script: string, args: readonly string[]): Line[] {
  return execFileSync(python, [script, ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    stdio: ["ignore", "pipe", "inherit"],
  })
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

/** The named figures of each system over its runs; those of `absent` are told as such. */
export function systemsOf(
  runs: Runs,
  names: readonly string[],
  absent: readonly string[],
): BenchResult["systems"] {
  const systems: Record<string, Record<string, Figure> | { readonly absent: string }> = {};
  for (const [system, figures] of runs) {
    systems[system] = Object.fromEntries(
      names
        .filter((name) => name in (figures[0] ?? {}))
        .map((name) => [
          name,
          figureOf(
            figures.map((one) => one[name] ?? Number.NaN),
            name === "log_loss" ? "nats" : "share",
          ),
        ]),
    );
  }
  for (const system of absent) {
    systems[system] = { absent: "not installed" };
  }
  return systems;
}

/** The mean of a figure over a system's runs; NaN where it has none. */
export function meanOf(runs: Runs, system: string, name: string): number {
  const values = (runs.get(system) ?? []).map((one) => one[name] ?? Number.NaN);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Whether each of our runs is better than each of theirs; false where either has none. */
export function isBetter(runs: Runs, ours: string, theirs: string, name: string): boolean {
  const valuesOf = (system: string): number[] =>
    (runs.get(system) ?? []).map((one) => one[name] ?? Number.NaN);
  const [own, other] = [valuesOf(ours), valuesOf(theirs)];
  if (own.length === 0 || other.length === 0) {
    return false;
  }
  return name === "log_loss"
    ? Math.max(...own) < Math.min(...other)
    : Math.min(...own) > Math.max(...other);
}
