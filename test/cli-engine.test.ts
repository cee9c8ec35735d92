import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { ServiceError } from "../src/base/index.ts";
import { type EngineOptions, engineOf } from "../src/cli-engine.ts";
import { herkoop } from "./support/command.ts";
import { inFolder } from "./support/temporary.ts";

const NOWHERE = { spark: { sparkHome: "/nowhere", sparkPython: "python3" } };

async function refused(options: EngineOptions): Promise<ServiceError> {
  try {
    await engineOf(options, NOWHERE);
  } catch (error) {
    expect(error).to.be.instanceOf(ServiceError);
    return error as ServiceError;
  }
  throw new Error("not refused");
}

/** Listens on a free port of this machine for as long as the work takes; returns that port. */
async function listening(work: (port: number) => Promise<void>): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  try {
    await work(port);
  } finally {
    server.close();
    await once(server, "close");
  }
  return port;
}

describe("the engine of features", () => {
  it("is DuckDB unless said, and nothing but DuckDB and Spark", async () => {
    expect(await engineOf({ engine: "duckdb" }, NOWHERE)).to.equal(undefined);
    expect(await refused({ engine: "flink" })).to.include({
      code: "invalid-input",
      message: 'engine: expected duckdb or spark; got "flink"',
    });
    expect((await refused({ engine: "duckdb", master: "local" })).message).to.include("no master");
  });

  it("refuses what is no master, one that nobody answers at, and a Spark that is not there", async () => {
    for (const master of ["", "localhost:7077", "spark://host", "local[x]", "local --conf a=b"]) {
      expect((await refused({ engine: "spark", master })).code, master).to.equal("invalid-input");
    }
    const port = await listening(async (open) => {
      const both = `spark://127.0.0.1:1,127.0.0.1:${open}`;
      expect((await refused({ engine: "spark", master: both })).message).to.include("SPARK_HOME");
    });
    const master = `spark://127.0.0.1:${port}`;
    expect(await refused({ engine: "spark", master })).to.include({
      code: "not-ready",
      message: `no Spark master answers at ${master}`,
    });
    expect((await refused({ engine: "spark" })).message).to.include("SPARK_HOME");
  });

  it("is said on the command line", async () => {
    await inFolder(async (folder) => {
      const args = ["conversion-intent", "--cutoff", "2024-01-01", "--out", "x.parquet"];
      const store = join(folder, "store");
      const outcome = await herkoop(store, "features", "export", ...args, "--engine", "flink");
      expect(outcome.code).to.not.equal(0);
      expect(outcome.stderr).to.include('expected duckdb or spark; got "flink"');
    });
  });
});
