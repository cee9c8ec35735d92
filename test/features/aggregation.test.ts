import { expect } from "chai";
import fc from "fast-check";
import { DAY_MS, type SqlRow } from "../../src/base/index.ts";
import { isWithin, type Row } from "../../src/features/condition.ts";
import { duckDbDialect } from "../../src/features/dialect.ts";
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
import { atCutoff } from "../../src/features/instants.ts";
import type { Relation } from "../../src/features/relation.ts";
import { viewRows } from "../../src/features/view-rows.ts";
import { viewSql } from "../../src/features/view-sql.ts";
import { addViewValues, prepareView } from "../../src/features/view-values.ts";
import { withStore } from "../support/temporary.ts";

const CUTOFF = 30 * DAY_MS;

function told(name: string): { readonly name: string; readonly meaning: string } {
  return { name, meaning: "of a test" };
}

const view: FeatureView = {
  name: "kept",
  entity: "customer",
  relation: "kept",
  gap: "at_ms",
  features: [
    count(told("n_7d"), { within: "7d" }),
    sum({ ...told("small"), unit: "amount" }, "amount", { where: isWithin("amount", 0, 200) }),
    value("mean", { ...told("mean"), unit: "amount" }, "amount"),
    value("minimum", { ...told("least"), unit: "amount" }, "amount"),
    value("maximum", { ...told("greatest"), unit: "amount" }, "amount"),
    value("last", { ...told("last"), unit: "amount" }, "amount"),
    share(told("small_share"), isWithin("amount", 0, 200), "7d"),
    daysSinceFirst(told("first_days")),
    daysSinceLast(told("last_days")),
    ...gapFeatures("kept", "rows"),
  ],
};

const relation: Relation = {
  name: "kept",
  kinds: ["order"],
  scales: { amount: 100 },
  hasFirstAt: false,
  onlyGrows: true,
  sql: () => [],
  rows: () => [],
};

const names = view.features.map(({ name }) => name);

/** Rows of which many are of the same instant, and some without an amount. */
const rows = fc.array(
  fc.record({
    at_ms: fc.integer({ min: 10, max: 29 }).map((day) => day * DAY_MS),
    amount: fc.option(fc.integer({ min: 0, max: 500 }), { freq: 4 }),
  }),
  { minLength: 1, maxLength: 12 },
);

describe("features/aggregation", () => {
  it("is the same in SQL as in memory, whatever the order of rows of one instant", async () => {
    const asked = viewSql(view, relation, atCutoff(CUTOFF, duckDbDialect), new Set(names));
    const tables = asked.map(([name, sql]) => `${name} AS (${sql})`).join(", ");
    await withStore(async (store) => {
      const duckdb = await store.openDuckDb();
      const inSql = async (kept: readonly Row[]): Promise<SqlRow | undefined> => {
        const listed = kept.map((row) => `(1, ${row["at_ms"]}, ${row["amount"]})`).join(", ");
        const table = `kept AS (SELECT * FROM (VALUES ${listed}) t(customer_id, at_ms, amount))`;
        const [found] = await duckdb.rows(
          `WITH ${table}, ${tables} SELECT * EXCLUDE (customer_id) FROM view_kept`,
        );
        return found;
      };
      try {
        await fc.assert(
          fc.asyncProperty(
            rows.chain((kept) => fc.shuffledSubarray(kept, { minLength: kept.length })),
            async (kept) => {
              const values: Record<string, number | null> = {};
              const inOrder = [...kept].sort((a, b) => a.at_ms - b.at_ms);
              const prepared = prepareView(view, view.features, relation);
              addViewValues(values, prepared, viewRows(view, relation, inOrder), CUTOFF);
              const found = await inSql(kept);
              for (const name of names) {
                const whenUnknown = name === "small" || name === "n_7d" ? 0 : null;
                expect(Number(found?.[name] ?? whenUnknown ?? Number.NaN), name).to.deep.equal(
                  values[name] ?? Number.NaN,
                );
              }
            },
          ),
          { numRuns: 200 },
        );
      } finally {
        duckdb.close();
      }
    });
  });

  it("takes the greatest of what came last together", () => {
    const kept = [
      { at_ms: DAY_MS, amount: 900 },
      { at_ms: 2 * DAY_MS, amount: 300 },
      { at_ms: 2 * DAY_MS, amount: 100 },
      { at_ms: 3 * DAY_MS, amount: null },
    ];
    const values: Record<string, number | null> = {};
    const prepared = prepareView(view, view.features, relation);
    addViewValues(values, prepared, viewRows(view, relation, kept), CUTOFF);
    expect(values["last"]).to.equal(3);
    expect(values["kept_gap_last_days"]).to.equal(1);
  });
});
