import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { z } from "zod";
import { fixedClock, literal, messageOf, type Store } from "../../src/base/index.ts";
import { importFile, readMapping } from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import { openOfflineStore, repurchaseService } from "../../src/features/index.ts";
import { linkedRows } from "../support/live.ts";
import { inFolder, withStore } from "../support/temporary.ts";

const PROJECT = resolve(import.meta.dirname, "../..");
const NOTEBOOKS = join(PROJECT, "notebooks");
const PYTHON = join(PROJECT, ".venv", "bin", "python");
const SHIPPED = join(PROJECT, "data", "online_retail_2009_2011.parquet");
const MAPPING = join(PROJECT, "data", "online_retail.mapping.json");
const CUTOFF = Date.parse("2011-06-01T00:00:00Z");

const run = promisify(execFile);

const notebookFile = z.object({
  cells: z.array(
    z.object({
      id: z.string(),
      cell_type: z.string(),
      execution_count: z.number().nullish(),
      outputs: z
        .array(
          z.object({ output_type: z.string(), data: z.record(z.string(), z.unknown()).optional() }),
        )
        .optional(),
    }),
  ),
});
type Notebook = z.infer<typeof notebookFile>;

function readNotebook(file: string): Notebook {
  return notebookFile.parse(JSON.parse(readFileSync(file, "utf8")));
}

function codeCells(notebook: Notebook): Notebook["cells"] {
  return notebook.cells.filter((cell) => cell.cell_type === "code");
}

function outputsOf(notebook: Notebook, type: string): string[] {
  return codeCells(notebook)
    .flatMap((cell) => cell.outputs ?? [])
    .flatMap(
      (output) =>
        z
          .union([z.string(), z.array(z.string())])
          .optional()
          .parse(output.data?.[type]) ?? [],
    );
}

/** Runs a notebook of the project in the environment it ships with; rejects where a cell fails. */
async function execute(
  name: string,
  folder: string,
  variables: Readonly<Record<string, string>>,
): Promise<Notebook> {
  const set = Object.entries(variables).map(([variable, value]) => `${variable}=${value}`);
  await run(
    "env",
    [
      "-u",
      "HERKOOP_STORE",
      "-u",
      "HERKOOP_FEATURES",
      ...set,
      PYTHON,
      "-m",
      "nbconvert",
      "--to",
      "notebook",
    ].concat([
      "--execute",
      join(NOTEBOOKS, name),
      "--output-dir",
      folder,
      "--ExecutePreprocessor.timeout=300",
    ]),
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return readNotebook(join(folder, name));
}

/** A twentieth of the shipped people, whole, and of the orders without one, as a source file. */
async function writeSample(store: Store, file: string): Promise<void> {
  const duckdb = await store.openDuckDb();
  try {
    await duckdb.run(
      `COPY (SELECT * FROM read_parquet(${literal(SHIPPED)})
             WHERE CASE WHEN customer_id IS NULL THEN CAST(regexp_extract(invoice, '[0-9]+') AS INTEGER) ELSE customer_id END % 20 = 0)
       TO ${literal(file)} (FORMAT parquet)`,
    );
  } finally {
    duckdb.close();
  }
}

async function fillStore(store: Store, sample: string): Promise<void> {
  await writeSample(store, sample);
  const clock = fixedClock("2012-01-01T00:00:00Z");
  const report = await importFile(store, clock, { file: sample, mapping: readMapping(MAPPING) });
  expect(report.rowsRejected).to.equal(0);
  await resolveCustomers(store, clock);
}

async function countRows(store: Store, from: string): Promise<number> {
  const duckdb = await store.openDuckDb();
  try {
    return Number((await duckdb.rows(`SELECT count(*) AS n FROM ${from}`))[0]?.["n"]);
  } finally {
    duckdb.close();
  }
}

/** Counts pairs bought on two UTC days or more, lines that were refunded whole left out. */
async function countPairsBoughtTwice(store: Store): Promise<number> {
  const pairs = await linkedRows(
    store,
    `SELECT user_id, upper(product_id) FROM history o
     WHERE event = 'Order Completed' AND user_id IS NOT NULL AND price > 0 AND product_id SIMILAR TO '[0-9]{5}[A-Za-z]{0,2}|DCGS[0-9A-Z]+|SP[0-9]+|PADS'
       AND quantity - coalesce((SELECT sum(r.quantity) FROM history r
         WHERE r.refunded_message_id = o.message_id AND r.refunded_line = o.line), 0) > 0.000001
     GROUP BY 1, 2 HAVING count(DISTINCT CAST(epoch_ms(occurred_at_ms) AS DATE)) > 1`,
  );
  return pairs.length;
}

/** The number that stands in bold before these words. */
function figure(notebook: Notebook, words: string): number {
  const found = new RegExp(`\\*\\*([\\d,]+) ${words}`).exec(
    outputsOf(notebook, "text/markdown").join("\n"),
  );
  return Number(found?.[1]?.replaceAll(",", ""));
}

function expectWholeRun(notebook: Notebook): void {
  const cells = codeCells(notebook);
  expect(
    cells.filter((cell) => typeof cell.execution_count !== "number").map((cell) => cell.id),
  ).to.deep.equal([]);
  const failed = cells.filter((cell) =>
    cell.outputs?.some((output) => output.output_type === "error"),
  );
  expect(failed.map((cell) => cell.id)).to.deep.equal([]);
}

describe("notebooks", function () {
  this.timeout(600_000);

  before(async () => {
    await run("bash", [join(PROJECT, "scripts", "python-environment.sh")]);
  });

  it("are kept without outputs", () => {
    const names = readdirSync(NOTEBOOKS).filter((name) => name.endsWith(".ipynb"));
    expect(names).to.include("01-data-audit.ipynb");
    for (const name of names) {
      const kept = codeCells(readNotebook(join(NOTEBOOKS, name))).filter(
        (cell) => (cell.execution_count ?? null) !== null || (cell.outputs ?? []).length > 0,
      );
      expect(kept, name).to.deep.equal([]);
    }
  });

  it("01-data-audit runs over a store and counts what the source file holds", async () => {
    await withStore(async (store, folder) => {
      const sample = join(folder, "sample.parquet");
      await fillStore(store, sample);

      const audit = await execute("01-data-audit.ipynb", folder, { HERKOOP_STORE: store.folder });

      expectWholeRun(audit);
      expect(outputsOf(audit, "image/png")).to.have.length.of.at.least(14);
      const source = `read_parquet(${literal(sample)})`;
      const ordered = "invoice NOT LIKE 'C%' AND invoice NOT LIKE 'A%' AND quantity >= 0";
      const lines = await linkedRows(store, "SELECT count(*) AS n FROM history");
      expect(figure(audit, "lines\\*\\* from")).to.equal(lines[0]?.["n"]);
      expect(figure(audit, "order lines")).to.equal(
        await countRows(store, `${source} WHERE ${ordered}`),
      );
      expect(figure(audit, "refunds")).to.equal(
        await countRows(store, `${source} WHERE invoice LIKE 'C%'`),
      );
      expect(figure(audit, "pairs \\(")).to.equal(await countPairsBoughtTwice(store));
    });
  });

  it("01-data-audit reads the features file it is given and finds it agrees with the history", async () => {
    await withStore(async (store, folder) => {
      await fillStore(store, join(folder, "sample.parquet"));
      const file = join(folder, "features.parquet");
      const offline = await openOfflineStore(store);
      const spine = { entity: "pair", minimumPurchases: 2 } as const;
      const rows = await offline.build({
        service: repurchaseService,
        cutoffs: [CUTOFF],
        spine,
        file,
      });
      offline.close();

      const variables = { HERKOOP_STORE: store.folder, HERKOOP_FEATURES: file };
      const audit = await execute("01-data-audit.ipynb", folder, variables);

      expectWholeRun(audit);
      expect(rows).to.be.greaterThan(0);
      expect(figure(audit, "pairs\\*\\* with")).to.equal(rows);
      const said = outputsOf(audit, "text/markdown").join("\n");
      expect(said).to.include("as known before 2011-06-01");
      expect(said).to.match(
        /100\.0% of the pairs\s+are the same, 100\.0% have the same frequency and 100\.0% the same recency/,
      );
    });
  });

  it("01-data-audit says what to do where there is no store", async () => {
    await inFolder(async (folder) => {
      const empty = join(folder, "empty");
      mkdirSync(empty);
      const said = await execute("01-data-audit.ipynb", folder, { HERKOOP_STORE: empty }).then(
        () => "nothing",
        (error: unknown) => messageOf(error),
      );
      expect(said).to.include("run `npm start` in the project first");
    });
  });
});
