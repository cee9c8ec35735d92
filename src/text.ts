import type { BacktestSeries, Interval, Report } from "./models/index.ts";
import type { Audience } from "./segments/index.ts";

/** Rows of text as aligned columns; numbers should come formatted. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join(
    "\n",
  );
}

const WIDTH_MAX = 100;

/** Rows of text as columns from the left, at most 100 characters wide: what is longer goes on in the next line. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const total = (): number => widths.reduce((sum, width) => sum + width + 2, -2);
  while (total() > WIDTH_MAX) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  const lines = (cells: readonly string[]): string[] => {
    const wrapped = cells.map((cell, column) => wrap(cell, widths[column] ?? 1));
    const height = Math.max(1, ...wrapped.map((parts) => parts.length));
    return Array.from({ length: height }, (_, at) =>
      wrapped
        .map((parts, column) => (parts[at] ?? "").padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  };
  return [header, widths.map((width) => "-".repeat(width)), ...rows].flatMap(lines).join("\n");
}

/** Breaks at spaces, and inside what is longer than a line. */
function wrap(text: string, width: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const end = space > 0 ? space : width;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...parts, rest];
}

/** What of the figures of visits fits a line; the card has all. */
const VISIT_COLUMNS = new Set([
  ...["auc", "average_precision", "log_loss", "calibration_error", "kept_40"],
  ...["pool_auc", "pool_log_loss", "pool_calibration_error", "pool_kept_40"],
]);

function visitLines({ visits }: Report): string[] {
  if (visits === undefined) {
    return [];
  }
  const { rows, orderShare, mainHorizonHours, botRows, slices } = visits;
  const shown = ["auc", "average_precision", "log_loss", "calibration_error", "kept_40"] as const;
  return [
    `visits: ${rows} instants, ${(100 * orderShare).toFixed(1)}% with an order within ${mainHorizonHours} hours; ${botRows} rows of bots left out`,
    table(
      ["visits", "rows", "orders", ...shown],
      slices.map(({ by, name, rows: count, orders, metrics }) => [
        `${by} ${name}`,
        String(count),
        String(orders),
        ...shown.map((figure) => metrics[figure]?.toFixed(4) ?? "-"),
      ]),
    ),
  ];
}

/** A report's figures, a line per system, the champion marked. */
export function reportTable(report: Report): string {
  const all = Object.keys(Object.values(report.systems)[0]?.metrics ?? {});
  const names = report.visits === undefined ? all : all.filter((name) => VISIT_COLUMNS.has(name));
  const rows = Object.entries(report.systems).map(([system, { metrics }]) => [
    system === report.champion ? `${system} *` : system,
    ...names.map((name) => metrics[name]?.toFixed(4) ?? "-"),
  ]);
  const { advantage, bestBaseline, isPassed, missing = [] } = report.gate;
  const isTested = report.testCutoffs.length > 0;
  const gate = Number.isFinite(advantage.mean)
    ? `network against ${bestBaseline}: loss lower by ${advantage.mean.toFixed(4)} nats [${advantage.low.toFixed(4)}, ${advantage.high.toFixed(4)}]; ${isPassed ? "the network serves (*)" : `${report.champion} serves (*)`}`
    : missing.length > 0
      ? `nothing could be tested: ${report.champion} serves (*)`
      : "the data end before the test's horizon does: predictions without labels, the network serves ungated";
  return [
    !isTested
      ? `${report.model}: not tested`
      : `${report.model}: tested at ${report.testCutoffs.join(", ")}, ${report.rows.test} rows, ${(100 * report.testEventShare).toFixed(1)}% buy within the horizon`,
    table(["system", ...names], rows),
    gate,
    ...missing.map((one) => `too little for the network: ${one}`),
    ...visitLines(report),
    [
      `${report.rows.training} training rows`,
      ...(isTested
        ? [
            `${report.cost.featureRowsPerSecond} feature rows/s`,
            `${report.cost.trainingRowsPerSecond} training rows/s`,
          ]
        : []),
      `peak memory ${report.cost.peakMemoryMiB} MiB, backend ${report.backend}, seed ${report.seed}`,
    ].join(", "),
  ].join("\n");
}

/** The figures of several back-tests, a line per system, and by week how one system's top rows fared. */
export function seriesText(series: BacktestSeries, system: string): string {
  const names = Object.keys(Object.values(series.systems)[0]?.metrics ?? {});
  const shown = (value: Interval | undefined): string =>
    value === undefined
      ? "-"
      : `${value.mean.toFixed(4)} [${value.low.toFixed(4)}, ${value.high.toFixed(4)}]`;
  const figures = names.map((name) => [
    name,
    ...Object.values(series.systems).map(({ metrics }) => shown(metrics[name])),
  ]);
  const weeks = (series.systems[system]?.weeks ?? []).map(({ week, top, hitRate, lift }) => [
    `week ${week}, top ${Math.round(100 * top)}%`,
    shown(hitRate),
    shown(lift),
  ]);
  const served = Object.entries(series.champions).map(([name, runs]) => `${name} ${runs}`);
  return [
    `${series.model}: ${series.runs} back-tests, cutoffs ${series.cutoffs.join(", ")}, seeds ${series.seeds.join(", ")}; mean [lowest, highest run]`,
    table(["figure", ...Object.keys(series.systems)], figures),
    `would have served: ${served.join(", ")}`,
    ...(weeks.length === 0 ? [] : [table([system, "hit rate", "lift"], weeks)]),
  ].join("\n\n");
}

/** Audiences with their members, and how many people are left out for want of consent. */
export function audienceTable(
  audiences: readonly (Audience & { readonly members: number })[],
): string {
  const without = audiences.reduce((sum, one) => sum + one.candidates - one.members, 0);
  return [
    table(
      ["audience", "from", "to", "members", "without consent"],
      audiences.map((one) => [
        one.name,
        one.weekStart?.slice(0, 10) ?? "",
        one.weekEnd?.slice(0, 10) ?? "",
        String(one.members),
        String(one.candidates - one.members),
      ]),
    ),
    ...(without === 0
      ? []
      : [
          "without consent: no consent for the audience's purpose is on record, and unknown is no (docs/mapping.md, consent)",
        ]),
  ].join("\n");
}
