import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import {
  literal,
  ServiceError,
  type SqlRow,
  type Store,
  silentProgress,
} from "../../src/base/index.ts";
import {
  findFiles,
  importFile,
  importFiles,
  type Mapping,
  parseMapping,
} from "../../src/collection/index.ts";
import { historyRows } from "../support/history.ts";
import { shopClock } from "../support/shop.ts";
import { inFolder, withStore } from "../support/temporary.ts";

interface Row {
  readonly id: string;
  readonly at: string;
  readonly event: string;
  readonly user: string;
  readonly mail: string;
  readonly tel: string;
  readonly product: string;
  readonly quantity: number;
  readonly price: number;
}

const COLUMNS = [
  "id",
  "at",
  "event",
  "user",
  "mail",
  "tel",
  "product",
  "quantity",
  "price",
] as const;

const rowArbitrary: fc.Arbitrary<Row> = fc.record({
  id: fc.uuid(),
  at: fc
    .integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2024, 5, 1) })
    .map((instant) => new Date(instant).toISOString()),
  event: fc.constantFrom("order", "view", "Ad Clicked", "something else"),
  user: fc.constantFrom("", "u1", "u2", " u3 "),
  mail: fc.constantFrom(
    "",
    "A@Example.com",
    "a@example.com",
    "ü@exämple.nl",
    "no address",
    '"q"@x.nl',
  ),
  tel: fc.constantFrom("", "0612345678", "+31 6 1234 5678", "12", "+1 (212) 555-2368"),
  product: fc.constantFrom("", "P1", 'P "2", large', "P\u00e9"),
  quantity: fc.integer({ min: 1, max: 9 }),
  price: fc.integer({ min: 0, max: 99_999 }).map((cents) => cents / 100),
});

const rowsArbitrary = fc.uniqueArray(rowArbitrary, { maxLength: 12, selector: ({ id }) => id });

function mapping(source: string, fields: object = {}): Mapping {
  return parseMapping({
    source,
    event: { column: "event", names: { order: "Order Completed", view: "Product Viewed" } },
    knownAt: "occurredAt",
    region: "NL",
    fields: {
      messageId: "id",
      occurredAt: { column: "at" },
      userId: "user",
      productId: "product",
      quantity: "quantity",
      price: "price",
      identifiers: { email: "mail", phone: "tel" },
      ...fields,
    },
  });
}

function csvOf(rows: readonly Row[]): string {
  const lines = rows.map((row) =>
    COLUMNS.map((name) => `"${String(row[name]).replaceAll('"', '""')}"`).join(","),
  );
  return `${[COLUMNS.join(","), ...lines].join("\n")}\n`;
}

function jsonOf(rows: readonly Row[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

const kept = (row: SqlRow): SqlRow => ({ ...row, source: "", properties: "" });

async function read(store: Store, file: string, text: string, of: Mapping): Promise<SqlRow[]> {
  writeFileSync(file, text);
  await importFile(store, shopClock, { file, mapping: of });
  return (await historyRows(store, `source = ${literal(of.source)}`)).map(kept);
}

describe("collection/import-files", () => {
  it("the same rows are the same events, whatever the format", async () => {
    await withStore(async (store, folder) => {
      const duckdb = await store.openDuckDb();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(rowsArbitrary, async (rows) => {
          const name = `run${++run}`;
          const csv = join(folder, `${name}.csv`);
          const parquet = join(folder, `${name}.parquet`);
          const fromCsv = await read(store, csv, csvOf(rows), mapping(`${name}-csv`));
          const fromJson = await read(
            store,
            join(folder, `${name}.jsonl`),
            jsonOf(rows),
            mapping(`${name}-json`),
          );
          await duckdb.run(
            `COPY (SELECT * REPLACE (CAST(quantity AS INTEGER) AS quantity, CAST(price AS DOUBLE) AS price)
                   FROM read_csv(${literal(csv)}, all_varchar = true, header = true, quote = '"', escape = '"')) TO ${literal(parquet)} (FORMAT parquet)`,
          );
          await importFile(store, shopClock, {
            file: parquet,
            mapping: mapping(`${name}-parquet`),
          });
          const fromParquet = (await historyRows(store, `source = '${name}-parquet'`)).map(kept);
          expect(fromCsv).to.have.length(rows.length);
          expect(fromJson).to.deep.equal(fromCsv);
          expect(fromParquet).to.deep.equal(fromCsv);
        }),
        { numRuns: 4 },
      );
      duckdb.close();
    });
  });

  it("a file in parts, in any order, with or without ids, is the same history", async () => {
    const parts = rowsArbitrary.chain((rows) =>
      fc.tuple(
        fc.constant(rows),
        fc.shuffledSubarray(rows, { minLength: rows.length }),
        fc.nat({ max: rows.length }),
        fc.boolean(),
      ),
    );
    await withStore(async (store, folder) => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(parts, async ([rows, shuffled, cut, hasIds]) => {
          const name = `run${++run}`;
          const fields = hasIds ? {} : { messageId: undefined, orderId: "id" };
          const whole = await read(
            store,
            join(folder, `${name}.csv`),
            csvOf(rows),
            mapping(`${name}-whole`, fields),
          );
          const split = mapping(`${name}-split`, fields);
          await read(store, join(folder, `${name}-1.csv`), csvOf(shuffled.slice(cut)), split);
          const both = await read(
            store,
            join(folder, `${name}-2.jsonl`),
            // The second part repeats some of the first.
            jsonOf(shuffled.slice(0, cut + 2)),
            split,
          );
          expect(both).to.deep.equal(whole);
        }),
        { numRuns: 5 },
      );
    });
  });

  it("finds the files of folders and patterns, sorted", async () => {
    await inFolder((folder) => {
      mkdirSync(join(folder, "2024/.hidden"), { recursive: true });
      for (const name of ["b.csv", "a.JSONL", "2024/c.parquet", "2024/d.csv.gz", "notes.txt"]) {
        writeFileSync(join(folder, name), "");
      }
      writeFileSync(join(folder, "2024/.hidden/e.csv"), "");
      const found = (name: string): string[] =>
        findFiles([join(folder, name)]).map((file) => file.slice(folder.length + 1));
      expect(found("")).to.deep.equal(["2024/c.parquet", "2024/d.csv.gz", "a.JSONL", "b.csv"]);
      expect(found("*.csv")).to.deep.equal(["b.csv"]);
      expect(found("**/?.csv*")).to.deep.equal(["2024/d.csv.gz", "b.csv"]);
      expect(found("b.csv")).to.deep.equal(["b.csv"]);
      expect(() => found("*.xls")).to.throw(ServiceError, /nothing to import/);
      return Promise.resolve();
    });
  });

  it("imports a folder file by file, remembers each, and tells of bad ones", async () => {
    await withStore(async (store, folder) => {
      const row = (id: string): Row => ({
        ...{ id, at: "2024-01-01T00:00:00Z", event: "order", user: "u1", mail: "", tel: "" },
        ...{ product: "P1", quantity: 1, price: 1 },
      });
      writeFileSync(join(folder, "a.csv"), csvOf([row("1"), row("2")]));
      writeFileSync(join(folder, "b.parquet"), "not parquet");
      writeFileSync(join(folder, "c.csv"), "other,columns\n1,2\n");
      writeFileSync(join(folder, "d.jsonl"), jsonOf([row("2"), row("3")]));
      writeFileSync(join(folder, "mapping.json"), JSON.stringify(mapping("shop")));
      const files = ["a.csv", "b.parquet", "c.csv", "d.jsonl"].map((name) => join(folder, name));
      const run = async (): Promise<unknown[]> =>
        (
          await importFiles(
            store,
            shopClock,
            { files, choice: { mapping: join(folder, "mapping.json") }, dryRun: false },
            silentProgress,
          )
        ).map(({ report, error }) => [report?.rowsAccepted, report?.alreadyImported, error?.field]);
      expect(await run()).to.deep.equal([
        [2, false, undefined],
        [undefined, undefined, "file"],
        [undefined, undefined, "fields.messageId"],
        [1, false, undefined],
      ]);
      expect(await run()).to.deep.equal([
        [0, true, undefined],
        [undefined, undefined, "file"],
        [undefined, undefined, "fields.messageId"],
        [0, true, undefined],
      ]);
    });
  });
});
