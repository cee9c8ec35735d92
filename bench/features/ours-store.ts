import { rmSync } from "node:fs";
import { join } from "node:path";
import { DAY_MS, literal, openStore, workingMemoryMiB } from "../../src/base/index.ts";
import { type BuildRequest, buildFile, factsOf } from "../../src/features/build.ts";
import { duckDbDialect } from "../../src/features/dialect.ts";
import { factsFolder } from "../../src/features/facts.ts";
import { wholeService } from "../../src/features/index.ts";
import { atCutoff } from "../../src/features/instants.ts";
import { cutoffRowsSql } from "../../src/features/rows-sql.ts";
import { checksumOf, peakMiB, stopwatch } from "./measured.ts";
import { FACTS, seeingAll, thirteen } from "./thirteen.ts";

/**
 * What Herkoop takes from a store: the features of this benchmark (`thirteen`), to facts made before; to
 * make the facts (`facts`); a file of the thirteen or of every feature of a customer for so many cutoffs
 * 28 days apart, the last at CUTOFF (`build-thirteen`, `build-catalogue`).
 *
 *   ours-store.ts FOLDER CUTOFF thirteen|facts|build-thirteen|build-catalogue [CUTOFFS]
 */
const [folder = "", cutoff = "", what = "thirteen", cutoffs = "1"] = process.argv.slice(2);
const out = join(folder, "features-ours-store.parquet");
const last = Date.parse(cutoff);

const store = await openStore(join(folder, "store"));
try {
  if (what === "facts") {
    rmSync(store.path("features"), { recursive: true, force: true });
  }
  const made = await timed(() => factsFolder(store));
  process.stdout.write(`${JSON.stringify(what === "facts" ? made : await measure())}\n`);
} finally {
  store.close();
}

async function measure(): Promise<unknown> {
  const facts = await factsFolder(store);
  const spent = stopwatch();
  const duckdb = await store.openDuckDb({ memoryLimitMiB: workingMemoryMiB() });
  try {
    const source = factsOf(duckdb, facts);
    const { catalogue, service } = thirteen(FACTS);
    let rows = 0;
    if (what === "thirteen") {
      await source.open("all");
      await duckdb.run("SET preserve_insertion_order = false");
      const sql = cutoffRowsSql(
        { service, cutoff: last, spine: { entity: "customer" } },
        seeingAll(atCutoff(last, duckDbDialect)),
        catalogue,
      );
      await duckdb.run(`COPY (${sql}) TO ${literal(out)} (FORMAT parquet)`);
    } else {
      const count = Number(cutoffs);
      const request: BuildRequest = {
        cutoffs: Array.from({ length: count }, (_, n) => last - (count - 1 - n) * 28 * DAY_MS),
        spine: { entity: "customer" },
        file: out,
        ...(what === "build-thirteen"
          ? { service, catalogue }
          : { service: wholeService("customer") }),
      };
      await source.open("all");
      rows = await buildFile(duckdb, source, store.path("temporary"), request);
    }
    const measured = { ...spent(), peakMiB: peakMiB() };
    const sums = what === "build-catalogue" ? { rows } : await checksumOf(duckdb, out);
    return { ...measured, ...sums };
  } finally {
    duckdb.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<unknown> {
  const spent = stopwatch();
  await work();
  return { ...spent(), peakMiB: peakMiB() };
}
