import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, literal, type SqlRow, type Store, toIso } from "../../src/base/index.ts";
import { buildFile } from "../../src/features/build.ts";
import { CATALOGUE, type Catalogue } from "../../src/features/catalogue.ts";
import { is, isKnown } from "../../src/features/condition.ts";
import { type FactSession, openFactSession } from "../../src/features/fact-session.ts";
import {
  count,
  daysSinceFirst,
  daysSinceLast,
  type FeatureView,
  gapFeatures,
  share,
  sum,
  value,
} from "../../src/features/feature-view.ts";
import { type FeatureService, wholeService } from "../../src/features/index.ts";
import { lateCustomersSql } from "../../src/features/late-customers.ts";
import { mostShared } from "../../src/features/shared-views.ts";
import { importLines, type ShopLine } from "../support/shop.ts";
import { withStore } from "../support/temporary.ts";

const START = Date.parse("2024-01-01T00:00:00Z");
const CUTOFFS = [20, 27, 28, 60, 90].map((days) => START + days * DAY_MS);

function told(name: string): { readonly name: string; readonly meaning: string } {
  return { name, meaning: "of a test" };
}

/** What the catalogue's own views of customers do not ask of a grain that cutoffs divide, and of rows without one. */
const MORE: readonly FeatureView[] = [
  {
    name: "divided",
    entity: "customer",
    relation: "purchase",
    per: ["product"],
    measures: [
      { name: "pieces", kind: "sum", of: "quantity", where: is("channel", "web") },
      { name: "in_web", kind: "count", where: isKnown("channel") },
      { name: "bought_at", kind: "last_at" },
    ],
    features: [
      daysSinceFirst(told("divided_first")),
      daysSinceLast(told("divided_last"), isKnown("bought_at")),
      sum({ ...told("divided_pieces"), unit: "quantity" }, "pieces", { within: "28d" }),
      value("mean", { ...told("divided_length"), unit: "minutes" }, "length"),
      value("last", { ...told("divided_n"), unit: "count" }, "n"),
      share(told("divided_share"), is("product", "A"), "7d"),
    ],
  },
  {
    name: "undivided",
    entity: "customer",
    relation: "purchase",
    where: is("product", "A", "B"),
    gap: "at_ms",
    features: [
      ...gapFeatures("undivided", "purchases"),
      value("minimum", { ...told("undivided_least"), unit: "amount" }, "amount"),
      count(told("undivided_count_30d"), { within: "30d" }),
    ],
  },
];

const SHARED_VIEWS = [
  "customer_orders",
  "customer_order_habits",
  "customer_repeat",
  "customer_categories",
  "customer_refunds",
];

const views = [...CATALOGUE.views.filter(({ name }) => SHARED_VIEWS.includes(name)), ...MORE];
const catalogue: Catalogue = { ...CATALOGUE, views: [...CATALOGUE.views, ...MORE] };
const service: FeatureService = {
  name: "shared",
  version: 1,
  entity: "customer",
  features: [
    ...views.flatMap(({ features }) => features.map(({ name }) => name)),
    "customer_overdue_ratio",
    "customer_refund_share",
    "cutoff_year_sin",
  ],
};
const request = { service, catalogue } as const;
const SPINES = [{ entity: "customer" }, { entity: "customer", activeWithinDays: 30 }] as const;

/** Orders that anybody may send back, many of them late, some at a cutoff or the millisecond before. */
const line: fc.Arbitrary<ShopLine> = fc
  .record({
    who: fc.integer({ min: 1, max: 6 }),
    event: fc.constantFrom("order", "order", "order", "refund", "view"),
    order: fc.integer({ min: 1, max: 12 }),
    product: fc.constantFrom("A", "B", "C"),
    quantity: fc.constantFrom(1, 2, 5),
    price: fc.constantFrom(0.1, 4.95, 120),
    at: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 100 * DAY_MS }) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom(...CUTOFFS), fc.constantFrom(-1, 0))
          .map(([cutoff, by]) => cutoff - START + by),
      },
    ),
    late: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(0, 1, -DAY_MS) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 * DAY_MS }) },
    ),
  })
  .map(({ who, order, at, late, ...said }) => ({
    ...said,
    user: `u${who}`,
    order: `o${order}`,
    at: toIso(START + at),
    known: toIso(Math.max(START, START + at + late)),
  }));

async function built(
  { duckdb, facts }: FactSession,
  store: Store,
  folder: string,
  spine: (typeof SPINES)[number],
  cutoffs: readonly number[],
): Promise<SqlRow[]> {
  const file = join(folder, "rows.parquet");
  const asked = {
    ...request,
    spine,
    cutoffs,
    file,
    labels: [{ count: 4, lengthMs: 7 * DAY_MS, knownBefore: START + 100 * DAY_MS }],
  };
  const rows = await buildFile(duckdb, facts, store.path("temporary"), asked);
  const made = await duckdb.rows(`SELECT * FROM read_parquet(${literal(file)})`);
  expect(made).to.have.length(rows);
  return made;
}

/** How many customers there are, and of how many something came late. */
async function lateOf({ duckdb }: FactSession): Promise<readonly [number, number]> {
  const [row] = await duckdb.rows(
    `SELECT count(DISTINCT customer_id) AS n, count(DISTINCT customer_id) FILTER (customer_id IN (${lateCustomersSql(CUTOFFS)})) AS late FROM fact`,
  );
  return [Number(row?.["n"]), Number(row?.["late"])];
}

describe("features/shared-views", () => {
  it("gives several cutoffs in one pass the bytes that each has by itself", async () => {
    let [timely, late] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 20, maxLength: 80 }),
        fc.constantFrom(40, 1_000_000),
        async (lines, linesPerBucket) => {
          await withStore(async (store, folder) => {
            await importLines(store, folder, lines);
            const session = await openFactSession(store, { linesPerBucket });
            try {
              const [all, those] = await lateOf(session);
              timely += all - those;
              late += those;
              for (const spine of SPINES) {
                const alone: SqlRow[] = [];
                for (const cutoff of CUTOFFS) {
                  alone.push(...(await built(session, store, folder, spine, [cutoff])));
                }
                const together = await built(session, store, folder, spine, CUTOFFS);
                expect(together).to.deep.equal(alone);
              }
            } finally {
              session.duckdb.close();
            }
          });
        },
      ),
      { numRuns: 8, endOnFailure: true },
    );
    expect(timely).to.be.greaterThan(5);
    expect(late).to.be.greaterThan(5);
  }).timeout(300_000);

  it("is for cutoffs at the start of a day, and for views that only gain rows", () => {
    expect(mostShared(service, CUTOFFS, catalogue)).to.be.within(2, CUTOFFS.length - 1);
    expect(mostShared(service, [...CUTOFFS, START + 1], catalogue)).to.equal(1);
    expect(mostShared(wholeService("customer"), CUTOFFS, catalogue)).to.equal(1);
    expect(mostShared(wholeService("pair"), CUTOFFS, catalogue)).to.equal(1);
    const instant = { ...service, features: ["cutoff_year_sin"] };
    expect(mostShared(instant, CUTOFFS, catalogue)).to.equal(1);
  });
});
