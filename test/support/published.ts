import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Store } from "../../src/base/index.ts";
import { MODEL_NAMES } from "../../src/models/index.ts";
import { currentRun } from "../../src/predictions/index.ts";

interface Publication {
  readonly asOf: number;
  readonly computedAt: number;
  readonly promised: number;
  readonly there: number;
  /** Of what is there. */
  readonly low: number;
  readonly high: number;
}

/** The percentile of everything in a publication that fault-child marks; see `publishAgain` there. */
const markOf = (asOf: number): number => ((asOf / 1000) % 1000) / 1000;

function expectWhole(name: string, found: Publication): void {
  expect(found.there, `rows of ${name}`).to.equal(found.promised);
  const isMarked = found.computedAt === found.asOf + 1 && found.there > 0;
  if (isMarked) {
    expect([found.low, found.high], name).to.deep.equal([markOf(found.asOf), markOf(found.asOf)]);
  }
}

/** Checks that predictions, audiences and their files are each those of one publication, and whole. */
export function expectPublished(store: Store): void {
  const { sqlite } = store;
  const runs = sqlite
    .prepare<[], Publication & { model: string }>(
      `SELECT r.model, r.as_of AS asOf, r.computed_at AS computedAt, r.row_count AS promised, count(p.run_id) AS there,
              min(p.percentile) AS low, max(p.percentile) AS high
       FROM prediction_run r LEFT JOIN prediction p ON p.run_id = r.id WHERE r.is_current = 1 GROUP BY r.id ORDER BY r.model`,
    )
    .all();
  expect(runs.map(({ model }) => model)).to.deep.equal([...MODEL_NAMES].sort());
  for (const run of runs) {
    expectWhole(`predictions of ${run.model}`, run);
    expect(currentRun(store, run.model as (typeof MODEL_NAMES)[number])?.rows).to.equal(run.there);
  }
  const strays = sqlite
    .prepare("SELECT count(*) FROM prediction WHERE run_id NOT IN (SELECT id FROM prediction_run)")
    .pluck()
    .get();
  expect(strays, "predictions of no run").to.equal(0);
  const audiences = sqlite
    .prepare<[], Publication & { name: string; kind: string }>(
      `SELECT a.name, a.kind, a.as_of AS asOf, a.computed_at AS computedAt, a.member_count AS promised, count(m.name) AS there,
              min(m.percentile) AS low, max(m.percentile) AS high
       FROM audience a LEFT JOIN audience_member m ON m.name = a.name AND m.version = a.version
       WHERE a.is_current = 1 GROUP BY a.name, a.version`,
    )
    .all();
  for (const kind of ["repurchase", "retargeting"]) {
    const stamps = audiences.filter((one) => one.kind === kind).map((one) => one.asOf);
    expect(new Set(stamps).size, `publications of ${kind}`).to.equal(1);
  }
  for (const audience of audiences) {
    // Its predictions were marked by their own instant, its own clock says when it was made.
    const isMarked = audience.low === markOf(audience.asOf);
    expectWhole(
      audience.name,
      isMarked ? { ...audience, computedAt: audience.asOf + 1 } : audience,
    );
  }
  expectWholeFiles(join(store.folder, "audiences"));
}

function expectWholeFiles(folder: string): void {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of files.filter((one) => one.endsWith(".csv"))) {
    const text = readFileSync(join(folder, name), "utf8");
    const [header = "", ...rows] = text.split("\n");
    expect(rows.pop(), `the end of ${name}`).to.equal("");
    const fields = header.split(",");
    const stamp = fields.indexOf("computed_at");
    const stamps = rows.map((row) => row.split(",").at(stamp - fields.length));
    expect(new Set(stamps).size, `publications in ${name}`).to.be.at.most(1);
    const positions = rows.map((row) => Number(row.split(",")[1]));
    expect(positions, name).to.deep.equal([...positions].sort((a, b) => a - b));
  }
}
