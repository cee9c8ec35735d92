import type { TopLevelSpec } from "vega-lite";
import type { BacktestSeries } from "./backtest-series.ts";
import { drawSvg } from "./svg.ts";

const SIZE = 320;

/**
 * A figure (SVG) of a system's back-tests: reliability of P(within 4 weeks), a point per bin and run with the
 * diagonal of perfect calibration, and the lift of each week's top 1, 5 and 10% with the range over runs.
 */
export async function backtestFigure(series: BacktestSeries, system: string): Promise<string> {
  return drawSvg(specOf(series, system));
}

function specOf(series: BacktestSeries, system: string): TopLevelSpec {
  const { reliability = [], weeks = [] } = series.systems[system] ?? {};
  const bins = reliability.map(({ forecast, observed, count }) => ({ forecast, observed, count }));
  const highest = Math.max(0.01, ...bins.flatMap(({ forecast, observed }) => [forecast, observed]));
  const lifts = weeks
    .filter(({ lift }) => Number.isFinite(lift.mean))
    .map(({ week, top, lift }) => ({
      week,
      top: `top ${Math.round(100 * top)}%`,
      lift: lift.mean,
      low: lift.low,
      high: lift.high,
    }));
  const week = { field: "week", type: "ordinal", title: "week after the cutoff" } as const;
  const color = { field: "top", type: "nominal", title: null } as const;
  return {
    background: "white",
    title: `${series.model}, ${system}: ${series.runs} back-tests, cutoffs ${series.cutoffs.map((cutoff) => cutoff.slice(0, 10)).join(", ")}`,
    hconcat: [
      {
        title: "Reliability within 4 weeks",
        width: SIZE,
        height: SIZE,
        layer: [
          {
            data: { values: [0, highest].map((p) => ({ forecast: p, observed: p })) },
            mark: { type: "line", strokeDash: [4, 4], color: "gray" },
            encoding: {
              x: { field: "forecast", type: "quantitative", title: "forecast" },
              y: { field: "observed", type: "quantitative", title: "observed share" },
            },
          },
          {
            data: { values: bins },
            mark: { type: "point", filled: true, opacity: 0.7 },
            encoding: {
              x: { field: "forecast", type: "quantitative" },
              y: { field: "observed", type: "quantitative" },
            },
          },
        ],
      },
      {
        title: "Lift by week",
        width: SIZE,
        height: SIZE,
        data: { values: lifts },
        layer: [
          {
            mark: { type: "line", point: true },
            encoding: {
              x: week,
              y: { field: "lift", type: "quantitative", title: "lift (mean and range of runs)" },
              color,
            },
          },
          {
            mark: { type: "rule" },
            encoding: {
              x: week,
              y: { field: "low", type: "quantitative" },
              y2: { field: "high" },
              color,
            },
          },
        ],
      },
    ],
  };
}
