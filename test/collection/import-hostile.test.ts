import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../src/base/index.ts";
import { importFile, parseMapping } from "../../src/collection/index.ts";
import { historyRows } from "../support/history.ts";
import { shopClock } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const MAPPING = {
  event: { column: "event" },
  knownAt: { column: "known", zone: "UTC" },
  fields: {
    occurredAt: { column: "at", zone: "UTC" },
    userId: "user",
    productId: "product",
    quantity: "quantity",
    price: "price",
    cost: "cost",
    identifiers: { email: "mail", phone: "tel" },
    traits: { first_name: "user" },
    consent: { advertising: { column: "news" } },
  },
};
/** A second kind of events, from lists inside the row. */
const NESTED = {
  ...MAPPING,
  also: [
    {
      lines: { each: "items[].parts", whenEmpty: "skip" },
      fields: {
        messageId: { join: ["items[].id", "items[].parts[].id"] },
        productId: "items[].parts[].id",
        quantity: "p[key=q].value",
      },
    },
  ],
};
const COLUMNS = "event,at,known,user,product,quantity,price,cost,mail,tel,news".split(",");

const nonsense = fc.oneof(
  fc.constantFrom(
    ...[
      "",
      "NaN",
      "nan",
      "inf",
      "-Infinity",
      "1e999",
      "-1e308",
      "1e12",
      "0x1F",
      "٣",
      "1,5",
      "null",
    ],
    ...[
      "infinity",
      "-infinity",
      "epoch",
      "now",
      "today",
      "20000-01-01",
      "-4000-01-01",
      "1969-12-31",
    ],
    ...["290000-01-01 00:00:00", "2024-02-30", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00+99:99"],
    ...["\u0000", "\ud800", "\u202e", '"', '""', "'", "\\", "\r", "\x01", "{}", "[1", '{"a":', "#"],
    ...["2024-01-05T10:00:00Z", "order", "1", "a@example.com", "true"],
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.double().map(String),
);

const GOOD = [
  ...["order", "2024-01-05 10:00:00", "2024-01-05 10:00:00", "u1", "P1", "1", "9.5", "0.1"],
  ...["a@example.com", "+31612345678", "yes"],
];
const cells = fc.oneof(
  fc.array(nonsense, { minLength: 0, maxLength: COLUMNS.length + 2 }),
  fc
    .tuple(fc.nat({ max: COLUMNS.length - 1 }), nonsense)
    .map(([place, cell]) => GOOD.map((good, index) => (index === place ? cell : good))),
);
const csvText = fc
  .tuple(fc.boolean(), fc.array(cells, { maxLength: 6 }), fc.constantFrom("\n", "\r\n", "\r"))
  .map(([isQuoted, rows, end]) =>
    [COLUMNS, ...rows]
      .map((row) =>
        row.map((cell) => (isQuoted ? `"${cell.replaceAll('"', '""')}"` : cell)).join(","),
      )
      .join(end),
  );
const jsonText = fc
  .array(
    fc.oneof(
      nonsense,
      fc.json(),
      fc
        .dictionary(
          fc.constantFrom(...COLUMNS),
          fc.oneof(
            nonsense,
            fc.double({ noNaN: true, noDefaultInfinity: true }),
            fc.boolean(),
            fc.constant([1]),
          ),
        )
        .map((value) => JSON.stringify(value)),
      fc.tuple(cells, fc.jsonValue({ maxDepth: 4 }), fc.jsonValue()).map(([row, value, id]) =>
        JSON.stringify({
          ...Object.fromEntries(COLUMNS.map((name, index) => [name, row[index]])),
          items: [{ id, parts: value }, value, { id: "1", parts: [{ id }, value] }],
          p: [{ key: "q", value: id }, value],
        }),
      ),
    ),
    { maxLength: 6 },
  )
  .map((lines) => lines.join("\n"));
const bytes = fc.uint8Array({ maxLength: 300 });

const YEAR_MS = 366 * 86_400_000;

describe("collection/import: hostile files", () => {
  it("end in an error about the file or in counted rejects, never in a crash or in nonsense", async function () {
    this.timeout(60_000);
    const hostile = fc.oneof(
      fc.record({ ending: fc.constant("csv"), content: fc.oneof(csvText, bytes) }),
      fc.record({ ending: fc.constant("jsonl"), content: fc.oneof(jsonText, bytes) }),
      fc.record({ ending: fc.constant("parquet"), content: bytes }),
    );
    await withStore(async (store, folder) => {
      let run = 0;
      let accepted = 0;
      await fc.assert(
        fc.asyncProperty(hostile, async ({ ending, content }) => {
          const file = join(folder, `hostile-${++run}.${ending}`);
          writeFileSync(file, content);
          const given = ending === "jsonl" && run % 2 > 0 ? NESTED : MAPPING;
          const mapping = parseMapping({ ...given, source: `run${run}` });
          try {
            const report = await importFile(store, shopClock, {
              file,
              mapping,
              dryRun: run % 3 > 0,
            });
            const { rowsRead, rowsAccepted, rowsDuplicate, rowsRejected, rowsSkipped } = report;
            expect(rowsAccepted + rowsDuplicate + rowsRejected + rowsSkipped).to.equal(rowsRead);
            accepted += rowsAccepted;
          } catch (error) {
            expect(error).to.be.instanceOf(ServiceError);
            expect((error as ServiceError).field).to.be.a("string");
          }
        }),
        { numRuns: 60 },
      );
      const rows = await historyRows(store);
      expect(accepted).to.be.greaterThan(0);
      for (const row of rows) {
        for (const name of ["occurred_at_ms", "known_at_ms"]) {
          expect(row[name]).to.be.within(0, shopClock.now() + YEAR_MS / 366);
        }
        for (const name of ["quantity", "price", "cost"]) {
          if (row[name] !== null) {
            expect(Math.abs(Number(row[name]))).to.be.at.most(1e9);
          }
        }
        for (const name of ["identifiers", "traits", "consent", "properties"]) {
          expect(() => JSON.parse(String(row[name])) as unknown, String(row[name])).not.to.throw();
        }
      }
    });
  });
});
