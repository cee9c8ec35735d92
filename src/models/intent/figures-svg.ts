import { writeFileSync } from "node:fs";
import type { Report } from "../report.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A line of a figure, and a band around it. */
interface Series {
  readonly label: string;
  readonly colour: string;
  readonly points: readonly Point[];
  readonly band?: readonly { readonly x: number; readonly low: number; readonly high: number }[];
}

/** Writes `<stem>-pruning.svg` and `<stem>-calibration.svg`: conversions kept, and forecast against observed. */
export function drawFigures(report: Report, stem: string): void {
  writeFileSync(`${stem}-pruning.svg`, pruningFigure(report));
  writeFileSync(`${stem}-calibration.svg`, calibrationFigure(report));
}

const BLUE = "#1f5fa8";
const ORANGE = "#c2570c";

/** Conversions kept by what share is left out, of the pool and of visits, with 95% intervals. */
export function pruningFigure({ champion, pruning, visits }: Report): string {
  const series = (label: string, colour: string, curve: Report["pruning"]): Series => ({
    label,
    colour,
    points: curve.map(({ pruned, kept }) => ({ x: pruned, y: kept })),
    band: curve.map(({ pruned, low, high }) => ({ x: pruned, low, high })),
  });
  return figure(
    `Conversions kept, lowest ranked left out (${champion})`,
    ["share left out", "conversions kept"],
    [
      series("pool", BLUE, pruning),
      ...(visits === undefined ? [] : [series("visits", ORANGE, visits.pruning)]),
    ],
    1,
  );
}

/** Observed shares by forecast, in bins of equal count. */
export function calibrationFigure({ champion, reliability, visits }: Report): string {
  const series = (label: string, colour: string, bins: Report["reliability"]): Series => ({
    label,
    colour,
    points: bins.map(({ forecast, observed }) => ({ x: forecast, y: observed })),
  });
  const all = [
    series("pool", BLUE, reliability),
    ...(visits === undefined ? [] : [series("visits", ORANGE, visits.reliability)]),
  ];
  const most = Math.max(0.01, ...all.flatMap(({ points }) => points.flatMap(({ x, y }) => [x, y])));
  return figure(
    `Forecast against what happened (${champion})`,
    ["forecast probability", "observed share"],
    [
      {
        label: "calibrated",
        colour: "#888",
        points: [
          { x: 0, y: 0 },
          { x: most, y: most },
        ],
      },
      ...all,
    ],
    most,
  );
}

const WIDTH = 640;
const HEIGHT = 400;
const MARGIN = { left: 56, right: 16, top: 36, bottom: 46 };
const TICKS = 5;

function figure(
  title: string,
  [across, up]: readonly [string, string],
  series: readonly Series[],
  most: number,
): string {
  const x = (value: number): string =>
    (MARGIN.left + (value / most) * (WIDTH - MARGIN.left - MARGIN.right)).toFixed(1);
  const y = (value: number): string =>
    (HEIGHT - MARGIN.bottom - (value / most) * (HEIGHT - MARGIN.top - MARGIN.bottom)).toFixed(1);
  const ticks = Array.from({ length: TICKS + 1 }, (_, index) => (most * index) / TICKS);
  const axes = ticks.map(
    (tick) =>
      `<path d="M${x(0)} ${y(tick)}H${x(most)}" stroke="#ddd"/><text x="${MARGIN.left - 6}" y="${y(tick)}" text-anchor="end" dominant-baseline="middle">${percent(tick)}</text><text x="${x(tick)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${percent(tick)}</text>`,
  );
  const line = (points: readonly Point[]): string =>
    points.map((point, index) => `${index === 0 ? "M" : "L"}${x(point.x)} ${y(point.y)}`).join("");
  const drawn = series
    .filter(({ points }) => points.length > 0)
    .map(({ label, colour, points, band = [] }, index) => {
      const edge = [
        ...band.map((one) => ({ x: one.x, y: one.high })),
        ...band.map((one) => ({ x: one.x, y: one.low })).reverse(),
      ];
      const area =
        band.length === 0 ? "" : `<path d="${line(edge)}Z" fill="${colour}" opacity="0.15"/>`;
      return `${area}<path d="${line(points)}" fill="none" stroke="${colour}" stroke-width="2"/><text x="${MARGIN.left + 10}" y="${HEIGHT - MARGIN.bottom - 14 - 16 * index}" fill="${colour}">${label}</text>`;
    });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${title}"><rect width="100%" height="100%" fill="#fff"/><text x="${MARGIN.left}" y="20" font-size="14">${title}</text>${axes.join("")}${drawn.join("")}<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">${across}</text><text transform="translate(14 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${up}</text></svg>\n`;
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))}%`;
}
