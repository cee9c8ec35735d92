import type { TopLevelSpec } from "vega-lite";

/** A figure as SVG, drawn without a browser; the library is loaded on first use. */
export async function drawSvg(spec: TopLevelSpec): Promise<string> {
  const { compile } = await import("vega-lite");
  const { parse, View } = await import("vega");
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
