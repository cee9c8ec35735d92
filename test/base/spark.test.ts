import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import {
  findSpark,
  runSparkSql,
  ServiceError,
  SPARK_VERSION,
  type Spark,
  type SparkSqlOptions,
  sparkLiteral,
  viewStatement,
  writeStatement,
} from "../../src/base/index.ts";
import { sparkFailure } from "../../src/base/spark-text.ts";
import { inFolder } from "../support/temporary.ts";

/** A program in the place of Spark's, for what this side does around it. */
function standIn(folder: string, script: string, home = join(folder, "home")): Spark {
  mkdirSync(join(home, "bin"), { recursive: true });
  writeFileSync(join(home, "bin", "spark-sql"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(home, "bin", "spark-sql"), 0o755);
  return { home };
}

/** In the place of Python: prints these folders. */
function pythonPrinting(folder: string, printed: string): string {
  const file = join(folder, "python");
  writeFileSync(file, `#!/bin/sh\necho '${printed}'\n`);
  chmodSync(file, 0o755);
  return file;
}

async function outcome(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "no error",
    (error: unknown) => error,
  );
}

function expectServiceError(error: unknown, code: string, words: string): void {
  expect(error).to.be.instanceOf(ServiceError);
  expect((error as ServiceError).code).to.equal(code);
  expect((error as ServiceError).message).to.include(words);
}

/** Reads a literal of Spark SQL back, by the rules of its parser (unescapeSQLString). */
function readLiteral(text: string): string {
  const named: Record<string, string> = { n: "\n", r: "\r", "0": "\0" };
  return text
    .slice(1, -1)
    .replace(/\\(.)/gs, (_, character: string) => named[character] ?? character);
}

describe("Spark's texts", () => {
  it("quotes any text on one line, and it reads back the same", () => {
    expect(sparkLiteral("it's a \\ and\n--a line")).to.equal("'it\\'s a \\\\ and\\n--a line'");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(sparkLiteral(text)).to.not.match(/[\n\r\0]/);
        expect(readLiteral(sparkLiteral(text))).to.equal(text);
      }),
    );
  });

  it("keeps Spark's version in one place", () => {
    const requirements = join(import.meta.dirname, "..", "spark-requirements.txt");
    expect(readFileSync(requirements, "utf8")).to.match(
      new RegExp(`^pyspark==${SPARK_VERSION.replaceAll(".", "\\.")}$`, "m"),
    );
  });

  it("makes a view of exactly the files given", () => {
    expect(viewStatement({ name: "events", files: ["/a b/one.parquet"] })).to.equal(
      `CREATE OR REPLACE TEMPORARY VIEW "events" USING parquet OPTIONS (path 'file:/a b/one.parquet', mergeSchema 'true')`,
    );
    const files = ["/a/one.parquet", "/b/two.parquet"];
    const columns = { line: "INT", price: "DOUBLE" };
    expect(viewStatement({ name: "events", files, columns })).to.equal(
      `CREATE OR REPLACE TEMPORARY VIEW "events" ("line" INT, "price" DOUBLE) USING parquet OPTIONS (path 'file:/{a/one.parquet,b/two.parquet}')`,
    );
  });

  it("refuses paths that Spark would take as patterns or leave out", () => {
    const refused = ["/a/*.parquet", "/{a}/x", "/a,b/x", "relative", "/a/_x", "/a/.x", "/a\\b"];
    for (const file of refused) {
      expect(() => viewStatement({ name: "v", files: ["/a/x", file] }), file).to.throw(
        ServiceError,
        file,
      );
    }
    expect(() => viewStatement({ name: "v", files: [] })).to.throw(ServiceError, "got none");
  });

  it("writes beside the folder that is to appear", () => {
    expect(writeStatement({ query: "SELECT 1 AS a", folder: "/out/it's" })).to.equal(
      "INSERT OVERWRITE DIRECTORY 'file:/out/it\\'s.partial' USING parquet OPTIONS (compression 'zstd')\nSELECT 1 AS a",
    );
  });

  it("tells Spark's reason on one line", () => {
    const unresolved = "[UNRESOLVED_COLUMN] A column `nope` cannot be resolved. SQLSTATE: 42703";
    expect(sparkFailure(["WARNING: noise", unresolved, "'Project ['nope]", "\tat x.Y"])).to.equal(
      unresolved,
    );
    expect(
      sparkFailure([
        "[TASK_WRITE_FAILED] Task failed while writing. SQLSTATE: 58030",
        "Caused by: [DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012",
      ]),
    ).to.equal(
      "[TASK_WRITE_FAILED] Task failed while writing. SQLSTATE: 58030; caused by [DIVIDE_BY_ZERO]",
    );
    expect(sparkFailure(["java.lang.IllegalStateException: no", "\tat x.Y"])).to.equal(
      "java.lang.IllegalStateException: no",
    );
    expect(sparkFailure([])).to.equal("no reason given");
  });

  it("leaves values of rows out of the reason", () => {
    const said = [
      ["[CAST_INVALID_INPUT] The value 'ann@example.com' cannot be cast. SQLSTATE: 22018"],
      ["[CAST_INVALID_INPUT] The value 'ann@example.com", "' cannot be cast. SQLSTATE: 22018"],
      ["SparkException: Subprocess exited with status 3. Error: ann@example.com"],
      ["java.lang.RuntimeException: no number: 'ann@example.com'"],
    ];
    for (const lines of said) {
      expect(sparkFailure(lines), lines[0]).to.not.include("ann@");
    }
  });
});

describe("finding Spark", () => {
  it("takes SPARK_HOME before any pyspark, and says what is wrong with it", async () => {
    await inFolder(async (folder) => {
      const { home } = standIn(folder, "exit 0");
      expect(await findSpark({ sparkHome: home, sparkPython: "/nowhere" })).to.deep.equal({ home });
      const wrong = await outcome(findSpark({ sparkHome: folder, sparkPython: "/nowhere" }));
      expectServiceError(wrong, "not-ready", `with bin/spark-sql, got ${folder}`);
    });
  });

  it("takes the folder of pyspark, and says how to install it where there is none", async () => {
    await inFolder(async (folder) => {
      const { home } = standIn(folder, "exit 0");
      const withSpark = pythonPrinting(folder, JSON.stringify([home]));
      expect(await findSpark({ sparkHome: undefined, sparkPython: withSpark })).to.deep.equal({
        home,
      });
      for (const [printed, words] of [
        ["[]", "has no pyspark"],
        [JSON.stringify([folder]), "pyspark-client is not enough"],
        ["nonsense", "could not be asked"],
      ] as const) {
        const sparkPython = pythonPrinting(folder, printed);
        const missing = await outcome(findSpark({ sparkHome: undefined, sparkPython }));
        expectServiceError(missing, "not-ready", words);
        expectServiceError(missing, "not-ready", `pip install pyspark==${SPARK_VERSION}`);
      }
      const none = await outcome(findSpark({ sparkHome: undefined, sparkPython: "/no/python" }));
      expectServiceError(none, "not-ready", "/no/python could not be asked");
    });
  });
});

describe("running spark-sql", () => {
  /** Runs against a stand-in; what is left in the folder afterwards is returned, too. */
  async function run(
    folder: string,
    script: string,
    more: Partial<SparkSqlOptions> = {},
  ): Promise<{ lines: string[]; error: unknown }> {
    const lines: string[] = [];
    const error = await outcome(
      runSparkSql({
        spark: standIn(folder, script),
        master: "local[1]",
        statements: ["SELECT 1"],
        temporaryFolder: join(folder, "temporary"),
        onLine: (line) => lines.push(line),
        ...more,
      }),
    );
    expect(readdirSync(join(folder, "temporary"))).to.deep.equal([]);
    return { lines, error };
  }

  it("hands over the statements and settings, those of the caller last", async () => {
    await inFolder(async (folder) => {
      const script = 'for last; do echo "$last"; done; cat "$last"; echo "$SPARK_HOME"';
      const { lines, error } = await run(folder, script, {
        statements: ["SELECT 1", "SELECT 2"],
        conf: { "spark.sql.ansi.enabled": "false" },
      });
      expect(error).to.equal("no error");
      expect(lines.slice(0, 2)).to.deep.equal(["--master", "local[1]"]);
      expect(lines).to.include("spark.sql.session.timeZone=UTC");
      expect(lines).to.include("spark.sql.ansi.enabled=false");
      expect(lines).to.not.include("spark.sql.ansi.enabled=true");
      expect(lines.slice(-5)).to.deep.equal([
        "SELECT 1",
        ";",
        "SELECT 2",
        ";",
        join(folder, "home"),
      ]);
    });
  });

  it("shows a written folder when it is whole, and never else", async () => {
    await inFolder(async (folder) => {
      const write = { query: "SELECT 1 AS a", folder: join(folder, "out") };
      const part = `mkdir '${write.folder}.partial'; touch '${write.folder}.partial/part-0.parquet'`;
      const whole = `${part}; touch '${write.folder}.partial/_SUCCESS'`;

      const failed = await run(folder, `${whole}; exit 1`, { statements: [write] });
      expect(failed.error).to.be.instanceOf(Error);
      expect(readdirSync(folder)).to.have.members(["home", "temporary"]);

      const torn = await run(folder, part, { statements: [write] });
      expect(String(torn.error)).to.include("do all machines see this path?");
      expect(readdirSync(folder)).to.have.members(["home", "temporary"]);

      const done = await run(folder, whole, { statements: [write] });
      expect(done.error).to.equal("no error");
      expect(readdirSync(folder)).to.have.members(["home", "temporary", "out"]);

      const again = await run(folder, whole, { statements: [write] });
      expectServiceError(again.error, "conflict", write.folder);
      expect(existsSync(join(write.folder, "part-0.parquet"))).to.equal(true);
    });
  });

  it("names the statement that failed", async () => {
    await inFolder(async (folder) => {
      const script = `echo 'Time taken: 1.0 seconds' >&2; echo '[TABLE_OR_VIEW_NOT_FOUND] No t. SQLSTATE: 42P01' >&2; exit 1`;
      const { error } = await run(folder, script, { statements: ["SELECT 1", "SELECT a FROM t"] });
      expect(String(error)).to.equal(
        "Error: Spark: statement 2 of 2: [TABLE_OR_VIEW_NOT_FOUND] No t. SQLSTATE: 42P01",
      );
    });
  });

  it("says when Java or the master is missing", async () => {
    await inFolder(async (folder) => {
      const java = await run(folder, "echo 'JAVA_HOME is not set' >&2; exit 1");
      expectServiceError(java.error, "not-ready", "Java 17");
      const master = await run(
        folder,
        "echo 'Reason: All masters are unresponsive! Giving up.' >&2; exit 1",
      );
      expectServiceError(master.error, "not-ready", "no Spark master answers at local[1]");
    });
  });

  it("ends with everything that it started when it is cancelled", async () => {
    await inFolder(async (folder) => {
      const cancel = new AbortController();
      const lines: string[] = [];
      // The run is over when nobody holds its output any more: each sleep would for ten minutes.
      const { error } = await run(folder, "sleep 600 & echo started; sleep 600", {
        signal: cancel.signal,
        onLine: (line) => {
          lines.push(line);
          cancel.abort();
        },
      });
      expectServiceError(error, "cancelled", "stopped");
      expect(lines).to.deep.equal(["started"]);
    });
  });
});
