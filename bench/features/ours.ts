import { join } from "node:path";
import { literal, openDuckDb, workingMemoryMiB } from "../../src/base/index.ts";
import { duckDbDialect } from "../../src/features/dialect.ts";
import { atCutoff } from "../../src/features/instants.ts";
import { cutoffRowsSql } from "../../src/features/rows-sql.ts";
import { checksumOf, type Measured, peakMiB, stopwatch } from "./measured.ts";
import { FLAT, seeingAll, thirteen } from "./thirteen.ts";

/**
 * The features as declared views, by the SQL made of them, over the same flat Parquet as the query by hand.
 * Prints seconds from opening the session on, and the process's peak memory.
 *
 *   ours.ts FOLDER CUTOFF
 */
const [folder = "", cutoff = ""] = process.argv.slice(2);
const out = join(folder, "features-ours.parquet");
const at = Date.parse(cutoff);

const spent = stopwatch();
const duckdb = await openDuckDb({ temporaryFolder: folder, memoryLimitMiB: workingMemoryMiB() });
try {
  await duckdb.run(
    `CREATE TEMP VIEW fact AS SELECT customer_id, session_id, type AS event, epoch_ms(ts) AS occurred_at_ms, epoch_ms(ts) AS known_at_ms,
            product_id AS product, category, amount AS price
     FROM read_parquet(${literal(join(folder, "events.parquet"))})`,
  );
  const { catalogue, service } = thirteen(FLAT);
  const sql = cutoffRowsSql(
    { service, cutoff: at, spine: { entity: "customer" } },
    seeingAll(atCutoff(at, duckDbDialect)),
    catalogue,
  );
  await duckdb.run("SET preserve_insertion_order = false");
  await duckdb.run(`COPY (${sql}) TO ${literal(out)} (FORMAT parquet)`);
  const { seconds, cpuSeconds } = spent();
  const measured: Measured = {
    seconds,
    cpuSeconds,
    peakMiB: peakMiB(),
    ...(await checksumOf(duckdb, out)),
  };
  process.stdout.write(`${JSON.stringify(measured)}\n`);
} finally {
  duckdb.close();
}
