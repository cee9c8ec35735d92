import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import {
  type DuckDb,
  literal,
  openDuckDb,
  runSparkSql,
  type Spark,
  type SparkWrite,
  type SqlRow,
  sparkLiteral,
  viewStatement,
} from "../../src/base/index.ts";
import { clusterConf, installedSpark, withCluster } from "../support/spark.ts";
import { inFolder } from "../support/temporary.ts";

/** A query in words that both engines understand, or in the words of each. `k` orders its rows. */
type Query = string | { readonly duckdb: string; readonly spark: string };

/** Days with an order by customer, then customers by how they buy: two steps of GROUP BY. */
const TWO_STEPS = `
  WITH day_orders AS (
    SELECT customer, day, CAST(sum(quantity) AS BIGINT) AS units, sum(price * quantity) AS spent,
           CAST(sum(CASE WHEN quantity > 2 THEN at_ms ELSE 0 END) AS BIGINT) AS late_ms
    FROM (SELECT *, CAST((at_ms - at_ms % 86400000) / 86400000 AS BIGINT) AS day FROM orders) l
    GROUP BY customer, day
  )
  SELECT customer AS k, count(*) AS days, CAST(sum(units) AS BIGINT) AS units, sum(spent) AS spent, median(units) AS median_units,
         max_by(units, day) AS last_units, max(late_ms) AS late_ms, CAST(sum(CAST(day AS DECIMAL(38,0)) * day) AS DOUBLE) AS squares
  FROM day_orders GROUP BY customer`;

const LINES = "(SELECT *, at_ms * 10 + line AS k FROM orders WHERE customer < 20) l";

/** What feature SQL says, each giving the same in both engines. */
const FORMS: Readonly<Record<string, Query>> = {
  "day numbers": {
    duckdb: `SELECT k, at_ms // 86400000 AS day FROM ${LINES}`,
    spark: `SELECT k, at_ms DIV 86400000 AS day FROM ${LINES}`,
  },
  "day numbers in words of both": `SELECT k, CAST((at_ms - at_ms % 86400000) / 86400000 AS BIGINT) AS day FROM ${LINES}`,
  casts: `SELECT k, CAST(at_ms AS DOUBLE) AS a, CAST(round(price) AS BIGINT) AS b, CAST(floor(price) AS INT) AS c, CAST(refunded AS INT) AS d,
                 CAST(at_ms AS STRING) AS e FROM ${LINES}`,
  division: `SELECT k, CAST(quantity AS DOUBLE) / nullif(quantity - 3, 0) AS a, quantity / 2 AS b, quantity * 5e-1 AS c FROM ${LINES}`,
  functions: `SELECT k, sqrt(quantity) AS a, sin(quantity * 0.897e0) AS b, cos(quantity * 0.897e0) AS c, ln(1 + CAST(quantity AS DOUBLE)) AS d,
                     exp(-5e-1 * quantity) AS e, abs(price) AS f FROM ${LINES}`,
  nulls: `SELECT k, coalesce(note, '-') AS a, greatest(quantity, discount) AS b, least(quantity, discount) AS c, nullif(quantity, 1) AS d,
                 coalesce(discount, 0) AS e, discount IS NOT DISTINCT FROM NULL AS f FROM ${LINES}`,
  windows: `SELECT k, lag(at_ms) OVER (PARTITION BY customer ORDER BY at_ms, line) AS a,
                   CAST(sum(quantity) OVER (PARTITION BY customer ORDER BY at_ms) AS BIGINT) AS b,
                   row_number() OVER (PARTITION BY customer ORDER BY discount DESC NULLS LAST, at_ms, line) AS c FROM ${LINES}`,
  "the latest that is known": `SELECT customer AS k, max_by(discount, CASE WHEN discount IS NOT NULL THEN at_ms * 10 + line END) AS a FROM orders GROUP BY customer`,
  "lists and joins": `SELECT k, p.weight AS a FROM ${LINES} LEFT JOIN products p USING (product) WHERE product IN ('p1', 'p2', 'it''s')`,
  "semi join": `SELECT k FROM ${LINES} SEMI JOIN products USING (product)`,
  "anti join": `SELECT k FROM ${LINES} ANTI JOIN products USING (product)`,
  json: {
    duckdb: `SELECT k, json_extract_string(properties, '$.size') AS a, json_extract_string(properties, '$.deep.n') AS b, json_extract_string(properties, '$.none') AS c FROM ${LINES}`,
    spark: `SELECT k, get_json_object(properties, '$.size') AS a, get_json_object(properties, '$.deep.n') AS b, get_json_object(properties, '$.none') AS c FROM ${LINES}`,
  },
  literals: {
    duckdb: `SELECT 1 AS k, ${literal("it's \\n a \\ and ; \n--line")} AS a`,
    spark: `SELECT 1 AS k, ${sparkLiteral("it's \\n a \\ and ; \n--line")} AS a`,
  },
  "quoted names": `SELECT "customer" AS k, count(*) AS "a ""b"" c" FROM orders GROUP BY "customer"`,
  "files with a column less": `SELECT customer AS k, count(*) AS a, count(note) AS b FROM orders GROUP BY customer`,
};

async function writeFiles(duckdb: DuckDb, folder: string): Promise<void> {
  await duckdb.run(
    `CREATE TABLE made AS SELECT CAST(r % 97 AS INT) AS customer, CAST(1300000000000 + r * 7654321 + CASE WHEN r % 50 = 0 THEN 86399999 ELSE 0 END AS BIGINT) AS at_ms,
       CAST(r % 3 AS INT) AS line, CASE r % 7 WHEN 0 THEN 'it''s' WHEN 1 THEN 'É\\' ELSE 'p' || r % 7 END AS product, CAST(1 + r % 5 AS INT) AS quantity,
       CAST(r % 1001 AS DOUBLE) / 8 - 3 AS price, CASE WHEN r % 4 = 0 THEN NULL ELSE CAST(r % 6 AS INT) END AS discount, r % 11 = 0 AS refunded,
       '{"size":"s' || r % 4 || '","deep":{"n":' || r % 9 || '}}' AS properties, CASE WHEN r % 2 = 0 THEN 'note ' || r END AS note FROM range(20000) t(r)`,
  );
  const write = async (query: string, name: string): Promise<void> =>
    duckdb.run(
      `COPY (${query}) TO ${literal(join(folder, name))} (FORMAT parquet, COMPRESSION zstd)`,
    );
  await write("FROM made WHERE customer % 2 = 0", "orders 1.parquet");
  await write("SELECT * EXCLUDE (note) FROM made WHERE customer % 2 = 1", "orders 2.parquet");
  await write("SELECT 'p' || r AS product, r * 10 AS weight FROM range(2, 5) t(r)", "p.parquet");
}

describe("Apache Spark", function () {
  this.timeout(900_000);
  let spark: Spark;

  before(async () => {
    spark = await installedSpark();
  });

  /** Runs the queries in both engines over the same files and compares row by row. */
  async function compare(
    folder: string,
    queries: Readonly<Record<string, Query>>,
    on: { readonly master: string; readonly conf?: Readonly<Record<string, string>> },
  ): Promise<void> {
    const duckdb = await openDuckDb({ temporaryFolder: join(folder, "temporary") });
    try {
      await writeFiles(duckdb, folder);
      const orders = ["orders 1.parquet", "orders 2.parquet"].map((name) => join(folder, name));
      const products = [join(folder, "p.parquet")];
      await duckdb.run(
        `CREATE VIEW orders AS FROM read_parquet([${orders.map(literal).join(", ")}], union_by_name = true)`,
      );
      await duckdb.run(
        `CREATE VIEW products AS FROM read_parquet([${products.map(literal).join(", ")}])`,
      );
      const asked = Object.entries(queries).map(([name, query], number) => ({
        name,
        query: typeof query === "string" ? { duckdb: query, spark: query } : query,
        folder: join(folder, `answer-${number}`),
      }));
      await runSparkSql({
        spark,
        master: on.master,
        conf: { "spark.sql.shuffle.partitions": "2", ...on.conf },
        temporaryFolder: join(folder, "temporary"),
        statements: [
          viewStatement({ name: "orders", files: orders }),
          viewStatement({ name: "products", files: products }),
          ...asked.map((one): SparkWrite => ({ query: one.query.spark, folder: one.folder })),
        ],
      });
      for (const { name, query, folder: answer } of asked) {
        const expected = await duckdb.rows(`SELECT * FROM (${query.duckdb}) q ORDER BY k`);
        const given = await duckdb.rows(
          `SELECT * FROM read_parquet(${literal(`${answer}/*.parquet`)}) ORDER BY k`,
        );
        expect(expected.length, name).to.be.greaterThan(0);
        expectSame(given, expected, name);
      }
    } finally {
      duckdb.close();
    }
  }

  it("gives DuckDB's rows in two steps of GROUP BY and in each form of feature SQL, on this machine", async () => {
    await inFolder(async (folder) => {
      await compare(folder, { "two steps": TWO_STEPS, ...FORMS }, { master: "local[2]" });
    });
  });

  it("gives them on a master with two workers", async () => {
    await inFolder(async (folder) => {
      await withCluster(spark, folder, async (master) => {
        await compare(folder, { "two steps": TWO_STEPS }, { master, conf: clusterConf });
        for (const worker of ["worker-a", "worker-b"]) {
          const ran = readdirSync(join(folder, worker)).filter((name) => name.startsWith("app-"));
          expect(ran, worker).to.have.length(1);
        }
      });
    });
  });
});

/** Equal, but for the last digits of a double: sums and functions differ there. */
function expectSame(given: readonly SqlRow[], expected: readonly SqlRow[], name: string): void {
  expect(given.length, name).to.equal(expected.length);
  given.forEach((row, at) => {
    for (const [column, value] of Object.entries(expected[at] ?? {})) {
      const found = row[column];
      const where = `${name}: ${column} of ${JSON.stringify(expected[at])}`;
      if (typeof value === "number" && !Number.isInteger(value)) {
        expect(found, where).to.be.closeTo(value, Math.abs(value) * 1e-13);
      } else {
        expect(found, where).to.equal(value);
      }
    }
    expect(Object.keys(row), name).to.deep.equal(Object.keys(expected[at] ?? {}));
  });
}
