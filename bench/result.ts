import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

/** A figure over runs: its mean, and the lowest and highest run. */
export interface Figure {
  readonly mean: number;
  readonly interval: readonly [number, number];
  readonly unit: string;
  readonly runs: number;
}

export interface BenchResult {
  readonly name: string;
  readonly command: string;
  readonly ranAt: string;
  readonly commit: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGiB: number };
  readonly versions: Readonly<Record<string, string>>;
  readonly systems: Readonly<
    Record<string, Readonly<Record<string, Figure>> | { readonly absent: string }>
  >;
  readonly goals: readonly { readonly text: string; readonly met: boolean }[];
  readonly notes: readonly string[];
}

/** A figure of the values of several runs. */
export function figureOf(values: readonly number[], unit: string): Figure {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, interval: [Math.min(...values), Math.max(...values)], unit, runs: values.length };
}

/** The middle one of several values, the upper of two. */
export function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Where, when and on what a benchmark ran. */
export function circumstances(
  name: string,
): Pick<BenchResult, "name" | "command" | "ranAt" | "commit" | "machine"> {
  return {
    name,
    command: `npm run bench -- ${name}`,
    ranAt: new Date(performance.timeOrigin).toISOString(),
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
    },
  };
}

const RESULTS = join(import.meta.dirname, "results");

/** Writes a result and makes bench/README.md anew from all results. */
export function writeResult(result: BenchResult): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${result.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  const results = readdirSync(RESULTS)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(RESULTS, file), "utf8")) as BenchResult);
  const head =
    "# Benchmarks\n\nMade by the benchmarks themselves from `results/`; run one with `npm run bench -- <name>`. " +
    "A figure is the mean over its runs (seeds), with the lowest and the highest run in brackets. " +
    "Peers are pinned in `peers/requirements.txt` and run on the same rows in the same run; one that can't be installed is shown as absent.\n";
  writeFileSync(join(import.meta.dirname, "README.md"), [head, ...results.map(section)].join("\n"));
}

function digitsOf({ unit, mean }: Figure): number {
  if (unit === "s") {
    return mean < 10 ? 2 : 0;
  }
  return ["rows", "MiB", "events/s"].includes(unit) ? 0 : 4;
}

function section(result: BenchResult): string {
  const figures = Object.entries(result.systems).filter(
    (entry): entry is [string, Readonly<Record<string, Figure>>] => !("absent" in entry[1]),
  );
  const names = [...new Set(figures.flatMap(([, system]) => Object.keys(system)))];
  const show = (figure: Figure | undefined): string => {
    if (figure === undefined) {
      return "-";
    }
    const digits = digitsOf(figure);
    const [low, high] = figure.interval;
    return figure.runs === 1 || low === high
      ? figure.mean.toFixed(digits)
      : `${figure.mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
  };
  const absent = Object.entries(result.systems).flatMap(([name, system]) =>
    "absent" in system && typeof system.absent === "string"
      ? [`- ${name}: absent (${system.absent})`]
      : [],
  );
  return [
    `## ${result.name}`,
    "",
    `\`${result.command}\`, ${result.ranAt.slice(0, 10)}, commit ${result.commit}; ${result.machine.cpu}, ${result.machine.cores} cores, ${result.machine.memoryGiB} GiB; ${Object.entries(
      result.versions,
    )
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    "",
    `| system | ${names.join(" | ")} |`,
    `|---|${names.map(() => "---").join("|")}|`,
    ...figures.map(
      ([name, system]) =>
        `| ${name} | ${names.map((figure) => show(system[figure])).join(" | ")} |`,
    ),
    "",
    ...absent,
    ...result.goals.map((goal) => `- ${goal.met ? "met" : "**missed**"}: ${goal.text}`),
    ...result.notes.map((note) => `- ${note}`),
    "",
  ].join("\n");
}
