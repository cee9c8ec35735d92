import { checkMaster, findSpark, ServiceError } from "./base/index.ts";
import type { Config } from "./config.ts";
import type { SparkEngine } from "./features/index.ts";

/** What computes features, as options of a command say it. */
export interface EngineOptions {
  readonly engine: string;
  readonly master?: string;
}

/** The Spark of the options; undefined where DuckDB computes. Throws where there is none, or it can't be reached. */
export async function engineOf(
  { engine, master }: EngineOptions,
  config: Pick<Config, "spark">,
): Promise<SparkEngine | undefined> {
  if (engine === "duckdb" && master === undefined) {
    return undefined;
  }
  if (engine !== "spark") {
    const found = engine === "duckdb" ? "duckdb has no master" : `got "${engine}"`;
    throw new ServiceError("invalid-input", `engine: expected duckdb or spark; ${found}`, {
      field: "engine",
    });
  }
  const chosen = master ?? "local[*]";
  await checkMaster(chosen);
  return { spark: await findSpark(config.spark), master: chosen };
}
