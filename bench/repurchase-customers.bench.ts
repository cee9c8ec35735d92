import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAY_MS, toIso } from "../src/base/index.ts";
import { type BenchResult, circumstances, figureOf, writeResult } from "./result.ts";

const ROOT = join(import.meta.dirname, "..");
const PYTHON = join(ROOT, ".venv", "bin", "python");
const SEEDS = [1, 2, 3];
const HORIZON_DAYS = 84;
const SERVED = "herkoop, as served";

type Figures = Readonly<Record<string, number>>;

/**
 * Repurchase week of customers (orders without products) on the CDNOW and the grocery log, beside BG/NBD and
 * Pareto/NBD of `lifetimes`, all customers who ordered before a cutoff 84 days before the end of the data. Beside the
 * network stands what would have served at the cutoff: the winner of the back-test 84 days before it, by what was known
 * at the cutoff. The argument is the folder that holds cdnow/CDNOW_master.txt and grocery_elog/groceryElog.csv, which do not ship.
 */
export function run(): Promise<void> {
  const folder = process.argv[3] ?? join(ROOT, "..", "shared", "datasets");
  const sets = {
    cdnow: join(folder, "cdnow", "CDNOW_master.txt"),
    grocery: join(folder, "grocery_elog", "groceryElog.csv"),
  };
  const systems: Record<string, BenchResult["systems"][string]> = {};
  const goals: BenchResult["goals"][number][] = [];
  const champions = new Map<string, string>();
  for (const [name, file] of Object.entries(sets)) {
    if (!existsSync(file)) {
      systems[name] = { absent: `there is no ${file}` };
      continue;
    }
    const { champion, found } = measure(name, file);
    champions.set(name, champion);
    for (const [system, runs] of Object.entries(found)) {
      systems[`${name}: ${system}`] = Object.fromEntries(
        Object.keys(runs[0] ?? {}).map((figure) => [
          figure,
          figureOf(
            runs.map((one) => one[figure] ?? Number.NaN),
            figure === "weekly_auc" ? "" : "nats",
          ),
        ]),
      );
    }
    const ours = found[SERVED] ?? [];
    const peers = Object.entries(found).filter(([system]) => system.startsWith("lifetimes"));
    for (const [system, [peer]] of peers) {
      goals.push({
        text: `${name}: weekly log loss and AUC as served, of every seed, better than ${system}`,
        met: ours.every(
          (one) =>
            (one["weekly_log_loss"] ?? 1) < (peer?.["weekly_log_loss"] ?? 0) &&
            (one["weekly_auc"] ?? 0) > (peer?.["weekly_auc"] ?? 1),
        ),
      });
    }
  }
  writeResult({
    ...circumstances("repurchase-customers"),
    versions: { node: process.versions.node, lifetimes: lifetimesVersion() },
    systems,
    goals,
    notes: [
      "Weekly figures are means over the 12 one-week targets; nll is of the week or later. Herkoop at its defaults, minimum purchases 1.",
      `"${SERVED}" is what the gate chose by a back-test 84 days before the cutoff, fitted anew: ${[...champions].map(([name, system]) => `${system} on ${name}`).join(", ")}.`,
    ],
  });
  return Promise.resolve();
}

/** Days with an order as lines of user and day, by data set. */
function ordersOf(name: string, text: string): readonly (readonly [string, string])[] {
  const lines = text.trim().split("\n").slice(1);
  return lines.map((line) => {
    if (name === "grocery") {
      const [user = "", day = ""] = line.replaceAll('"', "").split(",");
      return [user, day] as const;
    }
    const [user = "", day = ""] = line.trim().split(/\s+/);
    return [user, `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`] as const;
  });
}

interface Measured {
  /** What served by the gate. */
  readonly champion: string;
  /** Figures by system, a run each. */
  readonly found: Readonly<Record<string, readonly Figures[]>>;
}

function measure(name: string, file: string): Measured {
  const work = mkdtempSync(join(tmpdir(), "herkoop-bench-"));
  try {
    const orders = ordersOf(name, readFileSync(file, "utf8"));
    const csv = join(work, "orders.csv");
    writeFileSync(
      csv,
      ["user,at,event", ...orders.map(([user, day]) => `${user},${day}T00:00:00Z,order`), ""].join(
        "\n",
      ),
    );
    writeFileSync(
      join(work, "mapping.json"),
      JSON.stringify({
        source: name,
        event: { column: "event", names: { order: "Order Completed" } },
        knownAt: "occurredAt",
        fields: { occurredAt: { column: "at" }, userId: "user" },
      }),
    );
    herkoop(work, ["import", csv, "--mapping", join(work, "mapping.json")]);
    const last = orders.map(([, day]) => day).reduce((a, b) => (a > b ? a : b));
    const asOf = Date.parse(`${last}T00:00:00Z`) + DAY_MS;
    const cutoff = toIso(asOf - HORIZON_DAYS * DAY_MS).slice(0, 10);
    const before = toIso(asOf - 2 * HORIZON_DAYS * DAY_MS).slice(0, 10);
    const champion = championAt(work, before, cutoff);
    const asked = ["--cutoff", cutoff, "--as-of", toIso(asOf), "--min-purchases", "1"];
    const predict = (system: string, seed: number): string => {
      const out = join(work, `predictions-${system}-${seed}.parquet`);
      const chosen = ["--system", system, "--seed", `${seed}`, "--out", out];
      herkoop(work, ["backtest", "repurchase-week", ...asked, ...chosen]);
      return out;
    };
    const network = SEEDS.map((seed) => predict("network", seed));
    const served = champion === "network" ? network : [predict(champion, SEEDS[0] ?? 1)];
    const script = join(import.meta.dirname, "peers", "lifetimes_weeks.py");
    const args = [script, csv, cutoff, ...network, ...served];
    const said = execFileSync(PYTHON, args, { encoding: "utf8" });
    console.error(`${name}: ${champion} serves: ${said}`);
    const { herkoop: ours = [], ...peers } = JSON.parse(said) as Record<string, Figures[]>;
    const own = {
      "herkoop network": ours.slice(0, network.length),
      [SERVED]: ours.slice(network.length),
    };
    return { champion, found: { ...own, ...peers } };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Who would have been made the champion at `now`, by the back-test at `cutoff`. */
function championAt(work: string, cutoff: string, now: string): string {
  const args = ["--cutoff", cutoff, "--as-of", now, "--min-purchases", "1", "--json"];
  const said = herkoop(work, ["backtest", "repurchase-week", ...args]);
  return (JSON.parse(said) as { report: { champion: string } }).report.champion;
}

function herkoop(work: string, args: readonly string[]): string {
  return execFileSync(
    process.execPath,
    [join(ROOT, "bin", "herkoop.js"), "--store", join(work, "store"), ...args],
    { encoding: "utf8", maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "inherit"] },
  );
}

function lifetimesVersion(): string {
  const answer = spawnSync(PYTHON, ["-c", "import lifetimes; print(lifetimes.__version__)"], {
    encoding: "utf8",
  });
  return answer.stdout.trim();
}
