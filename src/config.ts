import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ServiceError, type SparkSettings } from "./base/index.ts";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;

const environment = z.object({
  HERKOOP_STORE: z.string().min(1).optional(),
  HERKOOP_MODELS: z.string().min(1).optional(),
  HERKOOP_HOST: z.string().min(1).default("127.0.0.1"),
  HERKOOP_PORT: z
    .string()
    .refine(
      (text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535,
      "expected a port from 0 to 65535",
    )
    .transform(Number)
    .default(8080),
  HERKOOP_ALLOWED_HOSTS: z.string().default(""),
  HERKOOP_SHUTDOWN_SECONDS: z
    .string()
    .refine(
      (text) => /^\d{1,4}$/.test(text) && Number(text) <= 3600,
      "expected a number of seconds from 0 to 3600",
    )
    .transform(Number)
    .default(10),
  HERKOOP_LOG_LEVEL: z.enum(LOG_LEVELS, `expected one of ${LOG_LEVELS.join(", ")}`).default("warn"),
  HERKOOP_SPARK_PYTHON: z.string().min(1).default("python3"),
  SPARK_HOME: z.string().optional(),
});

/** Everything that is set from outside, resolved once at start. Paths are absolute. */
export interface Config {
  readonly projectFolder: string;
  readonly storeFolder: string;
  readonly modelsFolder: string;
  readonly host: string;
  readonly port: number;
  /** Names under which the API may be asked, besides those of this machine itself. */
  readonly allowedHosts: readonly string[];
  /** How long a server that stops waits for its requests before it cuts them. */
  readonly shutdownSeconds: number;
  readonly logLevel: string;
  readonly spark: SparkSettings;
}

const PROJECT_FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Reads the environment; a variable that is set to nothing is as good as none. The default store is `data/store` in the project, with its artifacts in
 * `models/`; another store keeps its artifacts inside itself, unless HERKOOP_MODELS says where.
 */
export function readConfig(
  overrides: { readonly store?: string } = {},
  variables: NodeJS.ProcessEnv = process.env,
): Config {
  const given = Object.entries(variables).filter(([, value]) => value?.trim() !== "");
  const parsed = environment.safeParse(Object.fromEntries(given));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".") ?? "environment";
    const value = variables[field] ?? "";
    throw new ServiceError(
      "invalid-input",
      `${field}: ${issue?.message ?? "invalid"}, got "${value}"`,
      { field },
    );
  }
  const settings = parsed.data;
  const chosen = overrides.store ?? settings.HERKOOP_STORE;
  const [storeFolder, besideStore] =
    chosen === undefined
      ? [join(PROJECT_FOLDER, "data", "store"), join(PROJECT_FOLDER, "models")]
      : [resolve(chosen), join(resolve(chosen), "models")];
  return {
    projectFolder: PROJECT_FOLDER,
    storeFolder,
    modelsFolder:
      settings.HERKOOP_MODELS === undefined ? besideStore : resolve(settings.HERKOOP_MODELS),
    host: settings.HERKOOP_HOST,
    port: settings.HERKOOP_PORT,
    allowedHosts: readHostNames(settings.HERKOOP_ALLOWED_HOSTS.split(","), "HERKOOP_ALLOWED_HOSTS"),
    shutdownSeconds: settings.HERKOOP_SHUTDOWN_SECONDS,
    logLevel: settings.HERKOOP_LOG_LEVEL,
    spark: {
      sparkHome: settings.SPARK_HOME,
      sparkPython: settings.HERKOOP_SPARK_PYTHON,
    },
  };
}

const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$/;

/** Names of hosts in lower case, without empty ones. Throws `invalid-input` naming the field. */
export function readHostNames(given: readonly string[], field: string): string[] {
  return given
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "")
    .map((name) => {
      if (!HOST_NAME.test(name)) {
        throw new ServiceError(
          "invalid-input",
          `${field}: expected names of hosts such as events.example.com, without scheme, port and path; got "${name}"`,
          { field },
        );
      }
      return name;
    });
}

/** The shipped sample: its file and its mapping. Throws `not-found` where it was removed. */
export function samplePaths(config: Config): { readonly file: string; readonly mapping: string } {
  const file = join(config.projectFolder, "data", "online_retail_2009_2011.parquet");
  const mapping = join(config.projectFolder, "data", "online_retail.mapping.json");
  for (const path of [file, mapping]) {
    if (!existsSync(path)) {
      throw new ServiceError("not-found", `the shipped sample is not there: ${path}`, {
        field: "sample",
      });
    }
  }
  return { file, mapping };
}
