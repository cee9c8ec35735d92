import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { messageOf, ServiceError } from "./errors.ts";

/** The version that is tested; `test/spark-requirements.txt` installs it. */
export const SPARK_VERSION = "4.2.1";

/** Where to look for Spark. */
export interface SparkSettings {
  /** SPARK_HOME: a Spark that was unpacked or installed. */
  readonly sparkHome: string | undefined;
  /** The Python whose pyspark is taken where there is no SPARK_HOME. */
  readonly sparkPython: string;
}

/** An Apache Spark on this machine: the folder that holds its `bin/` and `jars/`. */
export interface Spark {
  readonly home: string;
}

const LOCATE =
  "import importlib.util, json; spec = importlib.util.find_spec('pyspark'); print(json.dumps(list(spec.submodule_search_locations) if spec else []))";

/** The Spark of SPARK_HOME, else the one inside pyspark. Throws `not-ready`, saying how to install one. */
export async function findSpark(settings: SparkSettings): Promise<Spark> {
  if (settings.sparkHome !== undefined) {
    const home = resolve(settings.sparkHome);
    if (!hasSparkSql(home)) {
      throw new ServiceError(
        "not-ready",
        `SPARK_HOME: expected a folder with bin/spark-sql, got ${home}`,
        { field: "SPARK_HOME" },
      );
    }
    return { home };
  }
  const folders = await pysparkFolders(settings.sparkPython);
  const home = folders.find(hasSparkSql);
  if (home === undefined) {
    const found =
      folders.length === 0
        ? `${settings.sparkPython} has no pyspark`
        : `the pyspark of ${settings.sparkPython} has no bin/spark-sql (pyspark-client is not enough)`;
    throw notInstalled(found);
  }
  return { home };
}

function hasSparkSql(home: string): boolean {
  return existsSync(join(home, "bin", "spark-sql"));
}

async function pysparkFolders(python: string): Promise<readonly string[]> {
  try {
    const { stdout } = await promisify(execFile)(python, ["-c", LOCATE]);
    return z.array(z.string()).parse(JSON.parse(stdout));
  } catch (error) {
    throw notInstalled(
      `${python} could not be asked for pyspark: ${messageOf(error).split("\n")[0] ?? ""}`,
      error,
    );
  }
}

function notInstalled(found: string, cause?: unknown): ServiceError {
  return new ServiceError(
    "not-ready",
    `Apache Spark is not there: ${found}. Run "pip install pyspark==${SPARK_VERSION}" and name that Python with HERKOOP_SPARK_PYTHON, or set SPARK_HOME`,
    { field: "HERKOOP_SPARK_PYTHON", cause },
  );
}
