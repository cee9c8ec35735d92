import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import {
  DAY_MS,
  fixedClock,
  literal,
  ServiceError,
  type SqlRow,
  type Store,
  silentProgress,
  toIso,
} from "../../src/base/index.ts";
import { findCustomer } from "../../src/customers/index.ts";
import {
  exportHistoricalRows,
  type FeatureService,
  historicalMatrix,
  openOfflineStore,
  type Spine,
  wholeService,
  writeHistoricalRows,
} from "../../src/features/index.ts";
import { importLines, rhythmicOrders, type ShopLine, shopMapping } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const step = silentProgress.begin("");
const CUSTOMER = wholeService("customer");
const PAIR = wholeService("pair");
const EVERYBODY = { entity: "customer", activeWithinDays: 100_000 } as const;
const PAIRS = { entity: "pair", minimumPurchases: 1 } as const;
const MAPPING = shopMapping({
  event: {
    column: "event",
    names: {
      order: "Order Completed",
      refund: "Order Refunded",
      view: "Product Viewed",
      cart: "Product Added",
    },
  },
});

/** Orders with refunds, lines that were known late, and browsing in sessions. */
const ORDERS = rhythmicOrders(8, 200);
const LINES: readonly ShopLine[] = [
  ...ORDERS,
  ...ORDERS.filter((_, index) => index % 7 === 0).map((line, index) => ({
    ...line,
    event: "refund",
    at: toIso(Date.parse(line.at) + DAY_MS),
    known: toIso(Date.parse(line.at) + (1 + 20 * (index % 2)) * DAY_MS),
  })),
  {
    user: "u2",
    order: "late",
    product: "P3",
    quantity: 4,
    at: "2023-02-10T10:00:00Z",
    known: "2023-05-01T10:00:00Z",
  },
  { user: "u2", event: "refund", order: "late", product: "P3", at: "2023-05-20T10:00:00Z" },
  ...[0, 5, 12, 50, 55, 400].map((minute) => ({
    user: "u3",
    event: minute % 2 === 0 ? "view" : "cart",
    product: "P4",
    at: toIso(Date.parse("2023-05-31T20:00:00Z") + minute * 60_000),
  })),
  { visitor: "v1", event: "view", product: "P2", at: "2023-05-30T10:00:00Z" },
  { visitor: "v1", user: "u4", event: "view", product: "P2", at: "2023-06-01T02:00:00Z" },
];

async function read(store: Store, file: string, order?: string): Promise<SqlRow[]> {
  const duckdb = await store.openDuckDb();
  try {
    return await duckdb.rows(
      `SELECT * FROM read_parquet(${literal(file)})${order === undefined ? "" : ` ORDER BY ${order}`}`,
    );
  } finally {
    duckdb.close();
  }
}

/** Builds at the cutoffs, asks for the same rows by a file of theirs, and returns both. */
async function bothWays(
  store: Store,
  folder: string,
  service: FeatureService,
  spine: Spine,
  cutoffs: readonly number[],
  factRowsMax?: number,
): Promise<{ readonly built: SqlRow[]; readonly asked: SqlRow[] }> {
  const files = ["built", "rows", "asked"].map((name) => join(folder, `${name}.parquet`));
  const [builtFile = "", rowsFile = "", askedFile = ""] = files;
  const offline = await openOfflineStore(store);
  await offline.build({ service, spine, cutoffs, file: builtFile });
  offline.close();
  const keys = service.entity === "pair" ? "customer_id, product" : "customer_id";
  const duckdb = await store.openDuckDb();
  await duckdb.run(
    `COPY (SELECT ${keys}, cutoff_ms FROM read_parquet(${literal(builtFile)}) ORDER BY hash(${keys}, cutoff_ms)) TO ${literal(rowsFile)} (FORMAT parquet)`,
  );
  duckdb.close();
  await writeHistoricalRows(
    store,
    {
      service,
      rows: rowsFile,
      file: askedFile,
      ...(factRowsMax === undefined ? {} : { factRowsMax }),
    },
    step,
  );
  const by = `cutoff_ms, ${keys}`;
  return { built: await read(store, builtFile, by), asked: await read(store, askedFile, by) };
}

describe("features/historical-rows", () => {
  for (const [service, spine] of [
    [CUSTOMER, EVERYBODY],
    [PAIR, PAIRS],
  ] as const) {
    it(`gives what a build of every feature of a ${service.name} gives at the same cutoffs`, async () => {
      await withStore(async (store, folder) => {
        await importLines(store, folder, LINES, MAPPING);
        const cutoffs = [
          "2023-03-01T08:00:00Z",
          "2023-05-01T10:00:00Z",
          "2023-05-21T00:00:00Z",
          "2023-06-01T00:00:00.001Z",
          "2023-06-01T12:34:56Z",
        ].map((text) => Date.parse(text));
        const { built, asked } = await bothWays(store, folder, service, spine, cutoffs, 400);
        expect(built.length).to.be.greaterThan(30);
        for (const name of [
          "customer_refund_days",
          "browsing_events_1d",
          "customer_gap_std_days",
        ]) {
          expect(
            built.some((row) => Number(row[name]) > 0),
            name,
          ).to.equal(true);
        }
        expect(asked).to.deep.equal(built.map((row) => ({ ...row, is_known: true })));
      });
    });
  }

  it("gives the same as a build for any small history", async () => {
    const start = Date.parse("2024-01-01T00:00:00Z");
    const line = fc
      .record({
        user: fc.constantFrom("a", "b"),
        event: fc.constantFrom("order", "order", "refund", "view", "cart"),
        order: fc.constantFrom("1", "2", "3"),
        product: fc.constantFrom("A", "B"),
        quantity: fc.integer({ min: 1, max: 3 }),
        price: fc.integer({ min: 1, max: 500 }).map((cents) => cents / 100),
        at: fc.integer({ min: 0, max: 40 * 24 * 60 }),
        late: fc.constantFrom(0, 0, 0, 24 * 60, 10 * 24 * 60),
      })
      .map(
        ({ at, late, ...one }): ShopLine => ({
          ...one,
          at: toIso(start + at * 60_000),
          known: toIso(start + (at + late) * 60_000),
        }),
      );
    const cutoffs = fc.uniqueArray(fc.integer({ min: 1, max: 50 * 24 * 60 }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 25 }),
        cutoffs,
        fc.integer({ min: 1, max: 40 }),
        async (lines, minutes, factRowsMax) => {
          await withStore(async (store, folder) => {
            await importLines(store, folder, lines, MAPPING);
            const instants = minutes.map((minute) => start + minute * 60_000).sort((a, b) => a - b);
            for (const [service, spine] of [
              [CUSTOMER, EVERYBODY],
              [PAIR, PAIRS],
            ] as const) {
              const { built, asked } = await bothWays(
                store,
                folder,
                service,
                spine,
                instants,
                factRowsMax,
              );
              expect(asked).to.deep.equal(built.map((row) => ({ ...row, is_known: true })));
            }
          });
        },
      ),
      { numRuns: 5 },
    );
  }).timeout(120_000);

  it("keeps every row and column of a CSV in order, with defaults for who is unknown", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [
        { user: "u1", at: "2024-01-01T10:00:00Z" },
        { user: "u1", at: "2024-01-05T10:00:00Z", known: "2024-01-09T10:00:00Z" },
      ]);
      const rows = join(folder, "anchors.csv");
      writeFileSync(
        rows,
        [
          "note,user_id,timestamp,label",
          '"b, a", u1 ,2024-01-05T12:00:00+02:00,1',
          "a,nobody,2024-01-06,0",
          "007,u1,2024-01-01T10:00:00Z,",
          "008,u1,2024-01-01T10:00:00.001Z,1",
          "c,u1,1704967200000,1",
          "d,,2024-01-06,1",
          "",
        ].join("\n"),
      );
      const file = join(folder, "out.parquet");
      const service: FeatureService = {
        ...CUSTOMER,
        features: ["customer_frequency", "customer_recency_days"],
      };
      const report = await writeHistoricalRows(store, { service, rows, file }, step);
      expect(report).to.include({ rows: 6, unknownRows: 2, days: 0, parts: 1 });
      expect((await read(store, file)).map((row) => Object.values(row))).to.deep.equal([
        ["b, a", " u1 ", "2024-01-05T12:00:00+02:00", 1, true, 1, 4],
        ["a", "nobody", "2024-01-06", 0, false, 0, null],
        ["007", "u1", "2024-01-01T10:00:00Z", null, true, 0, null],
        ["008", "u1", "2024-01-01T10:00:00.001Z", 1, true, 1, 1 / DAY_MS],
        ["c", "u1", "1704967200000", 1, true, 2, 6],
        ["d", null, "2024-01-06", 1, false, 0, null],
      ]);
    });
  });

  it("finds customers by identifiers as people write them, and reads JSON lines", async () => {
    await withStore(async (store, folder) => {
      const mapping = shopMapping({
        fields: {
          occurredAt: { column: "at" },
          userId: "user",
          orderId: "order",
          productId: "product",
          identifiers: { email: "visitor" },
        },
      });
      await importLines(
        store,
        folder,
        [{ user: "u1", visitor: "Jan@Example.com", at: "2024-01-01T10:00:00Z" }],
        mapping,
      );
      const rows = join(folder, "anchors.jsonl");
      writeFileSync(
        rows,
        [
          { email: " JAN@example.COM", product: "A", event_timestamp: "2024-01-02" },
          { email: "else@example.com", product: "A", event_timestamp: "2024-01-02T00:00Z" },
        ]
          .map((row) => `${JSON.stringify(row)}\n`)
          .join(""),
      );
      const file = join(folder, "out.parquet");
      const service: FeatureService = { ...PAIR, features: ["pair_frequency", "product_buyers"] };
      await writeHistoricalRows(store, { service, rows, file }, step);
      const read1 = await read(store, file);
      expect(
        read1.map((row) => [
          row["email"],
          row["is_known"],
          row["pair_frequency"],
          row["product_buyers"],
        ]),
      ).to.deep.equal([
        [" JAN@example.COM", true, 1, 1],
        ["else@example.com", false, 0, 1],
      ]);
    });
  });

  it("says which column or row it can't use, what it expected and what it found", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, [{ user: "u1", at: "2024-01-01T10:00:00Z" }]);
      const cases: readonly (readonly [string, FeatureService, RegExp])[] = [
        [
          "user_id\nu1",
          CUSTOMER,
          /expected a column timestamp, event_timestamp, cutoff_ms .*; found user_id/,
        ],
        [
          "who,timestamp\nu1,2024-01-01",
          CUSTOMER,
          /expected a column customer_id or .*user_id.*; found who, timestamp/,
        ],
        [
          "user_id,timestamp\nu1,2024-01-01",
          PAIR,
          /expected a column product.*; found user_id, timestamp/,
        ],
        [
          "user_id,timestamp\nu1,2024-01-01\nu1,yesterday",
          CUSTOMER,
          /timestamp: row 2: expected a date .*found "yesterday"/,
        ],
        [
          "user_id,timestamp\nu1,2024-01-01T10:00:00",
          CUSTOMER,
          /row 1: .*zone.*found "2024-01-01T10:00:00"/,
        ],
        ["user_id,timestamp\nu1,1704067200", CUSTOMER, /row 1: .*milliseconds, found "1704067200"/],
        ["user_id,timestamp\nu1,2024-02-30", CUSTOMER, /row 1: .*found "2024-02-30"/],
        ["user_id,timestamp\nu1,", CUSTOMER, /row 1: .*found nothing/],
        [
          "user_id,timestamp,product\nu1,2024-01-01,A\nu1,2024-01-01,",
          PAIR,
          /product: row 2: expected a product, found nothing/,
        ],
        [
          "customer_id,timestamp\nu1,2024-01-01",
          CUSTOMER,
          /customer_id: row 1: expected a customer's number, found "u1"/,
        ],
        ["user_id,timestamp,cutoff_ms\nu1,2024-01-01,1", CUSTOMER, /found timestamp and cutoff_ms/],
        [
          "user_id,timestamp,customer_frequency\nu1,2024-01-01,1",
          CUSTOMER,
          /customer_frequency have names of what is to be added/,
        ],
      ];
      for (const [text, service, message] of cases) {
        const rows = join(folder, "anchors.csv");
        writeFileSync(rows, `${text}\n`);
        const refused = await writeHistoricalRows(
          store,
          { service, rows, file: join(folder, "out.parquet") },
          step,
        ).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(refused, text).to.be.instanceOf(ServiceError);
        expect((refused as ServiceError).message).to.match(message);
        expect((refused as ServiceError).code).to.equal("invalid-input");
      }
    });
  });

  it("does not write over the rows that it reads", async () => {
    await withStore(async (store, folder) => {
      const rows = join(folder, "anchors.csv");
      writeFileSync(rows, "user_id,timestamp\nu1,2024-01-01\n");
      const context = {
        store,
        clock: fixedClock("2024-07-01T00:00:00Z"),
        progress: silentProgress,
      };
      const refused = await exportHistoricalRows(context, {
        service: CUSTOMER,
        rows,
        file: rows,
      }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).to.include({ code: "invalid-input", field: "out" });
      expect(readFileSync(rows, "utf8")).to.include("u1,2024-01-01");
    });
  });

  it("gives the same as numbers, for training on arbitrary anchors", async () => {
    await withStore(async (store, folder) => {
      await importLines(store, folder, LINES, MAPPING);
      const { id } = findCustomer(store, { type: "user_id", value: "u2" });
      const anchors = [
        "2023-06-01T00:00:00Z",
        "2023-05-01T10:00:00Z",
        "2023-05-01T10:00:00.001Z",
      ].map((text) => ({ customerId: id, product: "P3", cutoff: Date.parse(text) }));
      const { built } = await bothWays(
        store,
        folder,
        PAIR,
        PAIRS,
        anchors.map(({ cutoff }) => cutoff),
      );
      const matrix = await historicalMatrix(
        store,
        PAIR,
        [...anchors, { customerId: 999, product: "P3", cutoff: 1 }],
        { precision: 64 },
      );
      expect(matrix).to.include({ rows: 4, featureNames: PAIR.features });
      expect(matrix.customers[0]).to.equal(id);
      let compared = 0;
      anchors.forEach(({ cutoff }, row) => {
        const same = built.find(
          (one) =>
            one["cutoff_ms"] === cutoff && one["customer_id"] === id && one["product"] === "P3",
        );
        const width = PAIR.features.length;
        const values = [...matrix.features.subarray(row * width, (row + 1) * width)];
        if (same !== undefined) {
          compared++;
          expect(values).to.deep.equal(PAIR.features.map((name) => same[name] ?? Number.NaN));
        }
      });
      expect(compared).to.be.greaterThan(1);
      expect(matrix.features[3 * PAIR.features.length]).to.be.NaN;
      const narrow = await historicalMatrix(store, PAIR, anchors);
      expect(narrow.features).to.be.instanceOf(Float32Array);
      expect(narrow.features[2]).to.equal(Math.fround(matrix.features[2] ?? Number.NaN));
    });
  });
});
