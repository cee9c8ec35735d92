import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { ServiceError } from "./errors.ts";
import type { Spark } from "./find-spark.ts";
import { partialFolder, type SparkWrite, sparkFailure, writeStatement } from "./spark-text.ts";

/** How the folder of a running Spark begins. */
const SPARK_WORK = "spark-";

export interface SparkSqlOptions {
  readonly spark: Spark;
  /** `local[2]`, `spark://host:7077`, `yarn`, ... */
  readonly master: string;
  /** Run in one session, in order, without a semicolon at the end. A write's folder appears when all succeeded. */
  readonly statements: readonly (string | SparkWrite)[];
  /** Spark's own settings; they win over the ones made here. */
  readonly conf?: Readonly<Record<string, string>>;
  /** Each line that Spark prints: columns by tabs, unescaped. For a few figures; rows belong into a write. */
  readonly onLine?: (line: string) => void;
  readonly temporaryFolder: string;
  readonly signal?: AbortSignal;
}

/**
 * Runs statements in `spark-sql` and waits for the end. ANSI is on, times are UTC, names are quoted as in
 * DuckDB. Throws `not-ready` without Java or master, `cancelled` after the signal, `conflict` where a
 * write's folder is there, and else an error that names the statement and Spark's reason, without values.
 */
export async function runSparkSql(options: SparkSqlOptions): Promise<void> {
  options.signal?.throwIfAborted();
  const writes = options.statements.filter((statement) => typeof statement !== "string");
  for (const write of writes) {
    if (existsSync(write.folder)) {
      throw new ServiceError("conflict", `the folder is there already: ${write.folder}`);
    }
  }
  mkdirSync(options.temporaryFolder, { recursive: true });
  const work = mkdtempSync(join(resolve(options.temporaryFolder), SPARK_WORK));
  try {
    const file = join(work, "statements.sql");
    writeFileSync(file, sqlFile(options.statements), { mode: 0o600 });
    await runProcess(options, work, sparkArguments(options, work, file));
    publish(writes);
  } finally {
    rmSync(work, { recursive: true, force: true });
    for (const write of writes) {
      rmSync(partialFolder(write), { recursive: true, force: true });
    }
  }
}

function sqlFile(statements: SparkSqlOptions["statements"]): string {
  return statements
    .map((statement) => (typeof statement === "string" ? statement : writeStatement(statement)))
    .map((statement) => `${statement}\n;\n`)
    .join("");
}

/** ANSI: an overflow or a text that is no number fails, as in DuckDB, where Spark else goes on with NULL. */
function sparkArguments(options: SparkSqlOptions, work: string, file: string): string[] {
  const conf = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
    "spark.sql.variable.substitute": "false",
    "spark.sql.warehouse.dir": join(work, "warehouse"),
    ...(options.master.startsWith("local") ? localConf(work) : {}),
    ...options.conf,
  };
  const settings = Object.entries(conf).flatMap(([name, value]) => ["--conf", `${name}=${value}`]);
  return ["--master", options.master, "--name", "herkoop", ...settings, "-f", file];
}

function localConf(work: string): Record<string, string> {
  return {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.local.dir": join(work, "local"),
  };
}

async function runProcess(
  options: SparkSqlOptions,
  work: string,
  args: readonly string[],
): Promise<void> {
  // env: the launcher would follow another SPARK_HOME of the environment.
  const command = [
    `SPARK_HOME=${options.spark.home}`,
    join(options.spark.home, "bin", "spark-sql"),
  ];
  const child = spawn("env", [...command, ...args], {
    cwd: work,
    detached: true,
    stdio: ["ignore", options.onLine === undefined ? "ignore" : "pipe", "pipe"],
  });
  const said = new Said();
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.hear(line);
    });
  }
  if (child.stdout !== null && options.onLine !== undefined) {
    createInterface({ input: child.stdout }).on("line", options.onLine);
  }
  const code = await ended(child, options.signal);
  if (options.signal?.aborted === true) {
    throw new ServiceError("cancelled", "Spark was stopped", { cause: options.signal.reason });
  }
  if (code !== 0) {
    throw failure(options, said);
  }
}

/** The exit code; null after a signal. The whole process group ends with this process and with the abort signal. */
async function ended(child: ChildProcess, signal: AbortSignal | undefined): Promise<number | null> {
  let grace: NodeJS.Timeout | undefined;
  const stop = (): void => {
    killGroup(child, "SIGTERM");
    grace ??= setTimeout(() => {
      killGroup(child, "SIGKILL");
    }, 5000);
  };
  const atExit = (): void => {
    killGroup(child, "SIGKILL");
  };
  const interrupted = (name: NodeJS.Signals): void => {
    stop();
    if (process.listenerCount(name) === 0) {
      process.kill(process.pid, name);
    }
  };
  process.once("exit", atExit).once("SIGINT", interrupted).once("SIGTERM", interrupted);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise((resolveCode, reject) => {
      child.once("error", reject).once("close", resolveCode);
    });
  } finally {
    clearTimeout(grace);
    signal?.removeEventListener("abort", stop);
    process.off("exit", atExit).off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) {
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
      throw error;
    }
  }
}

/** What Spark said since the last statement that succeeded, and how many did. */
class Said {
  succeeded = 0;
  lines: string[] = [];

  hear(line: string): void {
    if (line.startsWith("Time taken: ")) {
      this.succeeded++;
      this.lines = [];
    } else if (this.lines.length < 1000) {
      this.lines.push(line.slice(0, 4000));
    }
  }
}

function failure(options: SparkSqlOptions, said: Said): Error {
  const told = said.lines.join("\n");
  if (/JAVA_HOME is not set|java: .*not found|UnsupportedClassVersionError/.test(told)) {
    return new ServiceError(
      "not-ready",
      "Spark needs Java 17 or 21: install it (on Debian the package openjdk-17-jre-headless), or set JAVA_HOME",
      { field: "JAVA_HOME" },
    );
  }
  if (told.includes("All masters are unresponsive")) {
    return new ServiceError("not-ready", `no Spark master answers at ${options.master}`, {
      field: "master",
    });
  }
  return new Error(
    `Spark: statement ${said.succeeded + 1} of ${options.statements.length}: ${sparkFailure(said.lines)}`,
  );
}

/** Each folder appears whole; they appear one after the other. */
function publish(writes: readonly SparkWrite[]): void {
  for (const write of writes) {
    if (!existsSync(join(partialFolder(write), "_SUCCESS"))) {
      throw new Error(
        `Spark: nothing whole in ${partialFolder(write)}: do all machines see this path?`,
      );
    }
  }
  for (const write of writes) {
    renameSync(partialFolder(write), write.folder);
  }
}
