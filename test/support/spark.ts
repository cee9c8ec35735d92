import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { findSpark, type Spark } from "../../src/base/index.ts";

const PROJECT = resolve(import.meta.dirname, "../..");

/** The Spark of test/spark-requirements.txt, installed into .venv-spark where it isn't yet. */
export async function installedSpark(): Promise<Spark> {
  await promisify(execFile)("bash", [join(PROJECT, "scripts", "python-environment.sh"), "spark"]);
  const sparkPython = join(PROJECT, ".venv-spark", "bin", "python");
  return findSpark({ sparkHome: undefined, sparkPython });
}

/** Settings with which an executor fits into a worker of the cluster, and everything stays on loopback. */
export const clusterConf = {
  "spark.driver.bindAddress": "127.0.0.1",
  "spark.driver.host": "127.0.0.1",
  "spark.executor.cores": "1",
  "spark.executor.memory": "1g",
};

/**
 * Runs work beside a standalone master and two workers of one core and 1 GiB each, on free ports of
 * loopback, with their files in the folder. All of them have ended when this returns.
 */
export async function withCluster<T>(
  spark: Spark,
  folder: string,
  work: (master: string) => Promise<T>,
): Promise<T> {
  const started: ChildProcess[] = [];
  const start = (...args: string[]): Daemon => {
    const daemon = new Daemon(startDaemon(spark, folder, args));
    started.push(daemon.child);
    return daemon;
  };
  const atExit = (): void => {
    started.forEach(killGroup);
  };
  process.once("exit", atExit);
  try {
    const loopback = ["--host", "127.0.0.1", "--webui-port", "0"];
    const daemon = start(`${DEPLOY}.master.Master`, ...loopback, "--port", "0");
    const [, master = ""] = await daemon.said(/Starting Spark master at (spark:\/\/\S+)/);
    const workers = ["a", "b"].map((name) =>
      start(
        `${DEPLOY}.worker.Worker`,
        ...loopback,
        "--cores",
        "1",
        "--memory",
        "1g",
        "--work-dir",
        join(folder, `worker-${name}`),
        master,
      ),
    );
    await Promise.all(workers.map((worker) => worker.said(/Successfully registered with master/)));
    return await work(master);
  } finally {
    await Promise.all(started.map(stop));
    process.off("exit", atExit);
  }
}

const DEPLOY = "org.apache.spark.deploy";

function startDaemon(spark: Spark, folder: string, args: readonly string[]): ChildProcess {
  const variables = {
    SPARK_HOME: spark.home,
    SPARK_LOCAL_IP: "127.0.0.1",
    SPARK_LOCAL_DIRS: join(folder, "local"),
    SPARK_DAEMON_MEMORY: "256m",
  };
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return spawn("env", [...set, join(spark.home, "bin", "spark-class"), ...args], {
    cwd: folder,
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/** A process of the cluster, and what it says on standard error. */
class Daemon {
  readonly child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on("line", (line) => {
        this.#lines.push(line);
        this.#waiting.forEach((look) => {
          look();
        });
      });
    }
  }

  /** The first line that matches, now or later. Rejects when the process ends without it. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((found, reject) => {
      const look = (): void => {
        const match = this.#lines.map((line) => pattern.exec(line)).find((at) => at !== null);
        if (match !== undefined) {
          this.#waiting.delete(look);
          found(match);
        }
      };
      this.#waiting.add(look);
      look();
      this.child.once("close", () => {
        reject(new Error(`ended before it said ${String(pattern)}: ${this.#lines.join("\n")}`));
      });
    });
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const closed = once(child, "close");
  killGroup(child);
  await closed;
}

/** A worker's executors are in its group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  process.kill(-child.pid, "SIGKILL");
}
