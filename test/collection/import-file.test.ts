import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { literal, ServiceError, type SqlRow, type Store } from "../../src/base/index.ts";
import {
  historySql,
  historySummary,
  importFile,
  type Mapping,
  parseMapping,
} from "../../src/collection/index.ts";
import { linkedRows } from "../support/live.ts";
import { importLines, type ShopLine, shopClock, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

async function history(store: Store, columns = "*"): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  const rows = await duckdb.rows(
    `SELECT ${columns} FROM ${historySql(store)} ORDER BY occurred_at_ms, message_id, line`,
  );
  duckdb.close();
  return rows;
}

const LINES: readonly ShopLine[] = [
  { user: "u1", order: "o1", product: "A", quantity: 2, price: 3.5, at: "2024-01-05T10:00:00Z" },
  { user: "u1", order: "o1", product: "A", quantity: 2, price: 3.5, at: "2024-01-05T10:00:00Z" },
  { user: "u2", order: "o2", product: "B", quantity: 1, price: 9, at: "2024-01-06T10:00:00+01:00" },
];

describe("collection/import-file", () => {
  it("keeps equal lines of one file apart and changes nothing on a second import", async () => {
    await withStore(async (store, folder) => {
      const first = await importLines(store, folder, LINES);
      expect(first).to.include({ rowsRead: 3, rowsAccepted: 3, rowsDuplicate: 0, rowsRejected: 0 });
      const again = await importLines(store, folder, LINES);
      expect(again).to.include({ alreadyImported: true, rowsAccepted: 0, rowsDuplicate: 3 });
      expect(await history(store)).to.have.length(3);
      expect(historySummary(store)).to.deep.include({
        rows: 3,
        firstOccurredAt: Date.UTC(2024, 0, 5, 10),
      });
    });
  });

  it("takes only the new lines of a file that has grown, and of a renamed copy none", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES);
      const grown = [...LINES, ...LINES.slice(0, 1), { user: "u3", at: "2024-02-01T00:00:00Z" }];
      const report = await importLines(store, folder, grown, shopMapping(), "grown.csv");
      expect(report).to.include({ rowsRead: 5, rowsAccepted: 2, rowsDuplicate: 3 });
      const copy = await importLines(
        store,
        folder,
        [...grown].reverse(),
        shopMapping(),
        "copy.csv",
      );
      expect(copy).to.include({ rowsAccepted: 0, rowsDuplicate: 5 });
    });
  });

  it("sets bad rows aside with number, field and reason, and lets the good ones pass", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "bad.csv");
      writeFileSync(
        file,
        [
          "user,visitor,event,order,product,quantity,price,at,known",
          "u1,,order,o1,A,1,10,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z",
          "u1,,order,o2,A,1,10,05/01/2024,2024-01-05T10:00:00Z",
          "u1,,order,o3,A,many,10,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z",
          "u1,,order,o4,A,1,10,2024-01-05T10:00:00,2024-01-05T10:00:00Z",
          "u1,,,o5,A,1,10,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z",
          "u1,,order,o6,A,1,10,2031-01-05T10:00:00Z,2024-01-05T10:00:00Z",
          "u1,,order,o7,A,1,1e999,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z",
          "u1,,order,o8,A,1,10,,2024-01-05T10:00:00Z",
          "u2,,order,o9,A,1,10,2024-01-07T10:00:00Z,2024-01-07T10:00:00Z",
          "",
        ].join("\n"),
      );
      const report = await importFile(store, shopClock, { file, mapping: shopMapping() });
      expect(report).to.include({ rowsRead: 9, rowsAccepted: 2, rowsRejected: 7 });
      const rejects = readFileSync(report.rejectsFile ?? "", "utf8")
        .trim()
        .split("\n");
      const firstCells = rejects.map((row) => row.split(",").slice(0, 2).join(","));
      expect(firstCells).to.deep.equal([
        "row,field",
        "2,occurredAt",
        "3,quantity",
        "4,occurredAt",
        "5,event",
        "6,occurredAt",
        "7,price",
        "8,occurredAt",
      ]);
      expect(rejects[2]).to.include('expected a number, got ""many""');
      expect(rejects[5]).to.include("lies in the future");
    });
  });

  it("numbers rows by the file where a malformed line was skipped", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "ragged.csv");
      const rows = Array.from(
        { length: 40 },
        (_, i) => `u${i},,order,o${i},A,1,10,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z`,
      );
      rows[10] = `${rows[10] ?? ""},one,cell,too,many`;
      rows[20] = "u20,,order,o20,A,x,10,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z";
      writeFileSync(
        file,
        ["user,visitor,event,order,product,quantity,price,at,known", ...rows, ""].join("\n"),
      );
      const report = await importFile(store, shopClock, { file, mapping: shopMapping() });
      expect(report).to.include({ rowsAccepted: 38, rowsRejected: 2 });
      const numbers = readFileSync(report.rejectsFile ?? "", "utf8")
        .trim()
        .split("\n")
        .slice(1);
      expect(numbers.map((row) => row.split(",")[0])).to.deep.equal(["11", "21"]);
    });
  });

  it("tells what would happen without doing it", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "events.csv");
      writeFileSync(
        file,
        "user,visitor,event,order,product,quantity,price,at,known\nu1,,order,o1,A,1,x,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z\nu1,,order,o1,A,1,1,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z\n",
      );
      const report = await importFile(store, shopClock, {
        file,
        mapping: shopMapping(),
        dryRun: true,
      });
      expect(report).to.include({
        dryRun: true,
        rowsAccepted: 1,
        rowsRejected: 1,
        rejectsFile: null,
      });
      expect(report.events).to.deep.equal({ "Order Completed": 1 });
      expect(historySummary(store).rows).to.equal(0);
      expect(readdirSync(store.path("history"))).to.deep.equal([]);
      expect(readdirSync(store.path("rejects"))).to.deep.equal([]);
    });
  });

  it("reads local times in their zone, through the change of the clocks", async () => {
    await withStore(async (store, folder) => {
      const mapping = shopMapping({
        knownAt: "occurredAt",
        fields: { occurredAt: { column: "at", zone: "Europe/London" }, userId: "user" },
      });
      const file = join(folder, "local.csv");
      writeFileSync(
        file,
        "user,event,at\na,order,2011-01-10 08:26:00\nb,order,2011-07-10 08:26:00\nc,order,2011-07-11T08:26:00Z\n",
      );
      await importFile(store, shopClock, { file, mapping });
      const instants = (await history(store)).map((row) =>
        new Date(Number(row["occurred_at_ms"])).toISOString(),
      );
      expect(instants).to.deep.equal([
        "2011-01-10T08:26:00.000Z",
        "2011-07-10T07:26:00.000Z",
        "2011-07-11T08:26:00.000Z",
      ]);
    });
  });

  it("reads epochs and stated formats", async () => {
    const read = async (
      store: Store,
      folder: string,
      name: string,
      time: object,
      text: string,
    ): Promise<string> => {
      const file = join(folder, `${name}.csv`);
      writeFileSync(file, `user,event,at\n${name},order,${text}\n`);
      const mapping = shopMapping({
        knownAt: "now",
        source: name,
        fields: { occurredAt: { column: "at", ...time }, userId: "user" },
      });
      expect(await importFile(store, shopClock, { file, mapping }), name).to.include({
        rowsAccepted: 1,
      });
      const rows = await history(store);
      const row = rows.find((one) => one["source"] === name);
      expect(row?.["known_at_ms"]).to.equal(shopClock.now());
      return new Date(Number(row?.["occurred_at_ms"])).toISOString();
    };
    await withStore(async (store, folder) => {
      expect(await read(store, folder, "seconds", { epoch: "seconds" }, "1324000000")).to.equal(
        "2011-12-16T01:46:40.000Z",
      );
      expect(
        await read(store, folder, "micros", { epoch: "microseconds" }, "1324000000123000"),
      ).to.equal("2011-12-16T01:46:40.123Z");
      expect(
        await read(store, folder, "day", { format: "%Y%m%d", zone: "UTC" }, "19970101"),
      ).to.equal("1997-01-01T00:00:00.000Z");
    });
  });

  it("reads JSON lines by dotted paths and keeps the whole line", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "events.jsonl");
      const event = {
        type: "track",
        event: "Product Viewed",
        userId: "u1",
        timestamp: "2024-01-05T10:00:00Z",
        properties: { product_id: "A", price: 4.5 },
      };
      writeFileSync(
        file,
        `${JSON.stringify(event)}\n{"event": broken\n${JSON.stringify({ ...event, timestamp: null })}\n`,
      );
      const mapping = parseMapping({
        source: "clicks",
        event: { column: "event" },
        fields: {
          occurredAt: { column: "timestamp" },
          userId: "userId",
          productId: "properties.product_id",
          price: "properties.price",
        },
      });
      const report = await importFile(store, shopClock, { file, mapping });
      expect(report).to.include({ rowsAccepted: 1, rowsRejected: 2 });
      const mistyped = {
        ...mapping,
        fields: { ...mapping.fields, userId: { column: "usr_typo" } },
      };
      const dry = await importFile(store, shopClock, { file, mapping: mistyped, dryRun: true });
      expect([report.emptyColumns, dry.emptyColumns]).to.deep.equal([
        [],
        ['fields.userId: "usr_typo"'],
      ]);
      const [row] = await history(store);
      expect(row).to.include({
        event: "Product Viewed",
        product_id: "A",
        price: 4.5,
        user_id: "u1",
      });
      expect(JSON.parse(String(row?.["properties"]))).to.deep.equal(event);
      expect(report.rejectReasons).to.deep.equal({
        "line: not valid JSON": 1,
        "occurredAt: missing": 1,
      });
    });
  });

  it("keeps columns the mapping does not name, and reads Parquet", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "orders.parquet");
      const duckdb = await store.openDuckDb();
      await duckdb.run(
        `COPY (SELECT 'u1' AS who, TIMESTAMP '2024-01-05 10:00:00.123999' AS at, 'DE' AS country, 7 AS store_id
         UNION ALL SELECT 'u2', TIMESTAMP '1969-12-31 23:00:00', 'DE', 7 UNION ALL SELECT 'u3', NULL, 'DE', 7
         UNION ALL SELECT 'u4', TIMESTAMP 'infinity', 'DE', 7) TO ${literal(file)} (FORMAT parquet)`,
      );
      duckdb.close();
      const mapping: Mapping = parseMapping({
        source: "till",
        event: [{ name: "Order Completed" }],
        fields: { occurredAt: { column: "at", zone: "UTC" }, userId: "who" },
      });
      const report = await importFile(store, shopClock, { file, mapping });
      expect(report.rejectReasons).to.deep.equal({
        "occurredAt: expected a time (ISO 8601 in UTC)": 1,
        "occurredAt: lies before 1970: 1969-12-31 23:00:00": 1,
        "occurredAt: missing": 1,
      });
      const [row] = await history(store);
      expect(row?.["occurred_at_ms"]).to.equal(Date.parse("2024-01-05T10:00:00.123Z"));
      expect(JSON.parse(String(row?.["properties"]))).to.deep.equal({
        country: "DE",
        store_id: "7",
      });
    });
  });

  it("splits a refund over what it cancels, also in an earlier file", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        { user: "u1", order: "o1", quantity: 2, at: "2024-01-01T10:00:00Z" },
        { user: "u1", order: "o2", quantity: 3, at: "2024-01-02T10:00:00Z" },
      ]);
      await importLines(
        store,
        folder,
        [{ user: "u1", event: "refund", order: "r1", quantity: 4, at: "2024-01-03T10:00:00Z" }],
        shopMapping(),
        "refunds.csv",
      );
      const refunds = await linkedRows(
        store,
        "SELECT * FROM history WHERE event = 'Order Refunded' ORDER BY line",
      );
      expect(refunds.map((row) => row["quantity"])).to.deep.equal([3, 1]);
      expect(refunds.map((row) => row["line"])).to.deep.equal([0, 1]);
      expect(new Set(refunds.map((row) => row["refunded_message_id"])).size).to.equal(2);
    });
  });

  it("refuses what it cannot read, naming the field", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "events.csv");
      writeFileSync(file, "user,event,at\nu,order,2024-01-01\n");
      const failing = async (request: Parameters<typeof importFile>[2]): Promise<ServiceError> => {
        const error = await importFile(store, shopClock, request).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).to.be.instanceOf(ServiceError);
        return error as ServiceError;
      };
      expect(
        (await failing({ file: join(folder, "absent.csv"), mapping: shopMapping() })).field,
      ).to.equal("file");
      const wrongColumn = await failing({ file, mapping: shopMapping() });
      expect(wrongColumn.message).to.match(
        /names the column "\w+", which events.csv does not have; nearest: /,
      );
      writeFileSync(join(folder, "orders.xls"), "x");
      expect(
        (await failing({ file: join(folder, "orders.xls"), mapping: shopMapping() })).field,
      ).to.equal("format");
      writeFileSync(join(folder, "no.parquet"), "not parquet");
      expect(
        (await failing({ file: join(folder, "no.parquet"), mapping: shopMapping() })).message,
      ).to.match(/^file: cannot read no.parquet/);
      expect(existsSync(store.path("history"))).to.equal(true);
      expect(readdirSync(store.path("history"))).to.deep.equal([]);
    });
  });

  it("refuses a mapping with an unknown or missing field, naming it", () => {
    expect(() =>
      parseMapping({ source: "s", event: [{ name: "x" }], fields: { occuredAt: { column: "t" } } }),
    ).to.throw(ServiceError, /fields/);
    expect(() =>
      parseMapping({
        source: "S!",
        event: [{ name: "x" }],
        fields: { occurredAt: { column: "t" } },
      }),
    ).to.throw(ServiceError, /source/);
    expect(() =>
      parseMapping({
        source: "s",
        event: [{ when: { column: "a", equals: "b", lessThan: 1 }, name: "x" }],
        fields: { occurredAt: { column: "t" } },
      }),
    ).to.throw(ServiceError, /exactly one test|event/);
  });

  it("knows a row again in another format, another order of columns, and with a column more", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES);
      const file = join(folder, "other.parquet");
      const duckdb = await store.openDuckDb();
      await duckdb.run(
        `COPY (SELECT "at", 'x' AS extra, "user", visitor, event, "order", product, CAST(quantity AS DOUBLE) AS quantity, price, known
               FROM read_csv(${literal(join(folder, "events.csv"))}, all_varchar = true)) TO ${literal(file)} (FORMAT parquet)`,
      );
      duckdb.close();
      const report = await importFile(store, shopClock, { file, mapping: shopMapping() });
      expect(report).to.include({ rowsRead: 3, rowsAccepted: 0, rowsDuplicate: 3 });
    });
  });

  it("sets a row aside that repeats an id with other content, and passes over a true copy", async () => {
    await withStore(async (store, folder) => {
      const mapping = shopMapping({
        fields: {
          messageId: "order",
          occurredAt: { column: "at" },
          userId: "user",
          productId: "product",
        },
      });
      const at = "2024-01-05T10:00:00Z";
      const line = (order: string, product: string): ShopLine => ({
        user: "u1",
        order,
        product,
        at,
      });
      const report = await importLines(
        store,
        folder,
        [line("o1", "A"), line("o1", "B"), line("o2", "A"), line("o2", "A")],
        mapping,
      );
      expect(report).to.include({
        rowsRead: 4,
        rowsAccepted: 2,
        rowsDuplicate: 1,
        rowsRejected: 1,
      });
      expect(readFileSync(report.rejectsFile ?? "", "utf8")).to.include(
        "2,messageId,repeats the id of row 1 with other content",
      );
    });
  });

  it("reads quotes that first appear late, and refuses impossible numbers", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "late.csv");
      const row = (user: string, product: string, price: string): string =>
        `${user},,order,o1,${product},1,${price},2024-01-05T10:00:00Z,2024-01-05T10:00:00Z`;
      const rows = Array.from({ length: 30_000 }, (_, index) => row(`u${index}`, "A", "1"));
      rows.push(row("late", '"B, ""large"""', "1"), row("odd", "A", "1e15"));
      writeFileSync(
        file,
        ["user,visitor,event,order,product,quantity,price,at,known", ...rows, ""].join("\n"),
      );
      const report = await importFile(store, shopClock, { file, mapping: shopMapping() });
      expect(report).to.include({ rowsAccepted: 30_001, rowsRejected: 1 });
      expect(report.rejectReasons).to.deep.equal({ "price: impossible value: 1e15": 1 });
      const [late] = (await history(store)).filter((one) => one["user_id"] === "late");
      expect(late?.["product_id"]).to.equal('B, "large"');
    });
  });

  it("names a pattern, a zone or a format that is none before it reads a row", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "events.csv");
      writeFileSync(file, "user,event,at\nu,order,10:30 05-01-2024\n");
      const attempt = async (mapping: Mapping): Promise<string> =>
        importFile(store, shopClock, { file, mapping }).then(
          () => "no error",
          (error: unknown) => (error as ServiceError).field ?? "",
        );
      const at = (time: object): Mapping =>
        shopMapping({
          knownAt: "now",
          fields: { occurredAt: { column: "at", ...time }, userId: "user" },
        });
      expect(await attempt(at({ zone: "Europe/Londen" }))).to.equal("fields.occurredAt.zone");
      expect(await attempt(at({ format: "%Q", zone: "UTC" }))).to.equal("fields.occurredAt.format");
      expect(
        await attempt({
          ...at({ zone: "UTC" }),
          products: { pattern: "(", group: { case: "keep", pattern: "(.*)" }, grain: "product" },
        }),
      ).to.equal("products.pattern");
      expect(historySummary(store).rows).to.equal(0);
      // A stated format is taken at its word: "-2024" is a year, no offset.
      expect(await attempt(at({ format: "%H:%M %d-%m-%Y", zone: "UTC" }))).to.equal("no error");
      expect((await history(store))[0]?.["occurred_at_ms"]).to.equal(Date.UTC(2024, 0, 5, 10, 30));
    });
  });

  it("keeps what an earlier mapping of the source said of products, until one says otherwise", async () => {
    const stored = (store: Store): unknown =>
      store.sqlite
        .prepare<[], string>("SELECT mapping ->> '$.products.pattern' FROM source")
        .pluck()
        .get();
    await withStore(async (store, folder) => {
      const strict = shopMapping({ products: { pattern: "^A$" } });
      await importLines(store, folder, LINES, strict);
      await importLines(
        store,
        folder,
        [{ user: "u9", at: "2024-02-01T00:00:00Z" }],
        shopMapping(),
        "more.csv",
      );
      expect(stored(store)).to.equal("^A$");
      await importLines(store, folder, LINES, shopMapping({ products: { pattern: "^B$" } }));
      expect(stored(store)).to.equal("^B$");
      const again = await importLines(store, folder, LINES, strict);
      expect(again.alreadyImported).to.equal(true);
      expect(stored(store)).to.equal("^A$");
    });
  });

  it("reads JSON lines around blank, broken and strange ones", async () => {
    await withStore(async (store, folder) => {
      const file = join(folder, "events.jsonl");
      const event = (id: number): string =>
        JSON.stringify({
          event: "Page Viewed",
          userId: id,
          at: "2024-01-05T10:00:00Z",
          text: "a \\x01 \u0001 b",
        });
      writeFileSync(file, `${event(1)}\r\n\n${event(2)}\n[1, 2]\n${event(3)}`);
      const mapping = parseMapping({
        source: "web",
        event: { column: "event" },
        fields: { occurredAt: { column: "at" }, userId: "userId" },
      });
      const report = await importFile(store, shopClock, { file, mapping });
      expect(report).to.include({ rowsRead: 4, rowsAccepted: 3, rowsRejected: 1 });
      expect((await history(store)).map((row) => row["user_id"]).sort()).to.deep.equal([
        "1",
        "2",
        "3",
      ]);
    });
  });

  it("cancels without a quantity, by a negative one, without a product, and for a visitor", async () => {
    const cancelled = async (lines: readonly ShopLine[], fields: object): Promise<number> =>
      withStore(async (store, folder) => {
        const base = { occurredAt: { column: "at" }, orderId: "order" };
        await importLines(store, folder, lines, shopMapping({ fields: { ...base, ...fields } }));
        const linked = "SELECT 1 FROM history WHERE refunded_message_id IS NOT NULL";
        return (await linkedRows(store, linked)).length;
      });
    const bought: ShopLine = {
      user: "u1",
      visitor: "v1",
      order: "o1",
      at: "2024-01-01T00:00:00Z",
      quantity: 2,
    };
    const returned: ShopLine = {
      ...bought,
      event: "refund",
      at: "2024-01-03T00:00:00Z",
      quantity: -2,
    };
    expect(await cancelled([bought, returned], { userId: "user", productId: "product" })).to.equal(
      1,
    );
    expect(
      await cancelled([bought, returned], {
        userId: "user",
        productId: "product",
        quantity: "quantity",
      }),
    ).to.equal(1);
    expect(await cancelled([bought, returned], { userId: "user" })).to.equal(1);
    expect(
      await cancelled([bought, returned], { anonymousId: "visitor", productId: "product" }),
    ).to.equal(1);
  });
});
