import { writeFileSync } from "node:fs";
import type { TopLevelSpec } from "vega-lite";
import type { Report } from "../report.ts";
import { drawSvg } from "../svg.ts";

const SIZE = { width: 560, height: 340 };

/** Writes `<stem>-pruning.svg` and `<stem>-calibration.svg`: conversions kept, and forecast against observed. Returns their names. */
export async function drawFigures(report: Report, stem: string): Promise<string[]> {
  const files = [`${stem}-pruning.svg`, `${stem}-calibration.svg`] as const;
  writeFileSync(files[0], `${await drawSvg(pruningFigure(report))}\n`);
  writeFileSync(files[1], `${await drawSvg(calibrationFigure(report))}\n`);
  return [...files];
}

const of = { field: "of", type: "nominal", title: null } as const;
const share = { format: "%" } as const;

/** Conversions kept by what share is left out, of the pool and of visits, with 95% intervals. */
function pruningFigure({ champion, pruning, visits }: Report): TopLevelSpec {
  const curve = (name: string, points: Report["pruning"]): object[] =>
    points.map(({ pruned, kept, low, high }) => ({ of: name, pruned, kept, low, high }));
  const x = {
    field: "pruned",
    type: "quantitative",
    title: "share left out",
    axis: share,
  } as const;
  const y = { type: "quantitative", title: "conversions kept", axis: share } as const;
  return {
    background: "white",
    title: `Conversions kept, lowest ranked left out (${champion})`,
    ...SIZE,
    data: { values: [...curve("pool", pruning), ...curve("visits", visits?.pruning ?? [])] },
    layer: [
      {
        mark: { type: "area", opacity: 0.15 },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: of },
      },
      { mark: "line", encoding: { x, y: { ...y, field: "kept" }, color: of } },
    ],
  };
}

/** Observed shares by forecast, in bins of equal count, with the diagonal of perfect calibration. */
function calibrationFigure({ champion, reliability, visits }: Report): TopLevelSpec {
  const curve = (name: string, bins: Report["reliability"]): CalibrationPoint[] =>
    bins.map(({ forecast, observed }) => ({ of: name, forecast, observed }));
  const points = [...curve("pool", reliability), ...curve("visits", visits?.reliability ?? [])];
  const most = Math.max(0.01, ...points.flatMap((point) => [point.forecast, point.observed]));
  const encoding = {
    x: { field: "forecast", type: "quantitative", title: "forecast probability", axis: share },
    y: { field: "observed", type: "quantitative", title: "observed share", axis: share },
  } as const;
  return {
    background: "white",
    title: `Forecast against what happened (${champion})`,
    ...SIZE,
    layer: [
      {
        data: { values: [0, most].map((p) => ({ forecast: p, observed: p })) },
        mark: { type: "line", strokeDash: [4, 4], color: "gray" },
        encoding,
      },
      { data: { values: points }, mark: "line", encoding: { ...encoding, color: of } },
    ],
  };
}

interface CalibrationPoint {
  readonly of: string;
  readonly forecast: number;
  readonly observed: number;
}
