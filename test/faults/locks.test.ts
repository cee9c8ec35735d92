import { execFileSync } from "node:child_process";
import { expect } from "chai";
import { openStore } from "../../src/base/index.ts";
import {
  createCollector,
  historyFiles,
  historySummary,
  sealInbox,
} from "../../src/collection/index.ts";
import { makeTemplates, type Templates } from "../support/fault-shop.ts";
import { orderCall } from "../support/live.ts";
import { killAll, runHerkoop, startChild, type Talking } from "../support/processes.ts";
import { shopClock } from "../support/shop.ts";

const NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] as const;
const WRITING_MS = 4_000;

function mayUnshare(): boolean {
  try {
    const [command, ...args] = NAMESPACE;
    execFileSync(command, [...args, "true"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

/** Turns as the only writer, and how often another one was met then. */
async function written(writer: Talking): Promise<{ readonly turns: number; readonly met: number }> {
  expect(await writer.end(), writer.complained()).to.equal(0);
  const [, turns, met] = /(\d+) turns, met (\d+) others/.exec(writer.said()) ?? [];
  return { turns: Number(turns), met: Number(met) };
}

describe("the lock of the only writer", function () {
  this.timeout(120_000);
  let templates: Templates;

  before(async () => {
    templates = await makeTemplates({ hasModels: false });
  });
  afterEach(killAll);
  after(() => {
    templates.remove();
  });

  it("ends with a writer that is killed", async () => {
    const folder = templates.shop();
    const writer = startChild("writer", [folder, "60000"]);
    await writer.until("> write");
    await writer.kill();
    const next = await runHerkoop(folder, ["seal"]);
    expect(next.code, next.stderr).to.equal(0);
  });

  it("is not held by the row that an older version left, whoever has its process number now", async () => {
    const folder = templates.shop();
    const store = await openStore(folder);
    store.sqlite.exec(
      `CREATE TABLE IF NOT EXISTS writer_lock (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), process_id INTEGER NOT NULL) STRICT;
       INSERT OR REPLACE INTO writer_lock (only_row, process_id) VALUES (1, ${process.pid})`,
    );
    store.close();
    const next = await runHerkoop(folder, ["seal"]);
    expect(next.code, next.stderr).to.equal(0);
  });

  it("is one writer's at a time, among processes of one machine", async () => {
    const folder = templates.shop();
    const writers = [1, 2].map(() => startChild("writer", [folder, String(WRITING_MS)]));
    for (const { turns, met } of await Promise.all(writers.map(written))) {
      expect(met, "writers met").to.equal(0);
      expect(turns).to.be.above(0);
    }
  });

  it("is one writer's at a time, among processes that can't see each other", async function () {
    if (!mayUnshare()) {
      process.stderr.write("      skipped: a process namespace can't be made here\n");
      this.skip();
    }
    const folder = templates.shop();
    const writers = [1, 2].map(() =>
      startChild("writer", [folder, String(WRITING_MS)], [...NAMESPACE]),
    );
    for (const { turns, met } of await Promise.all(writers.map(written))) {
      expect(met, "writers met").to.equal(0);
      expect(turns).to.be.above(0);
    }
  });

  it("takes no file from a reader that the writer can't see", async function () {
    if (!mayUnshare()) {
      process.stderr.write("      skipped: a process namespace can't be made here\n");
      this.skip();
    }
    const folder = templates.shop();
    const opened = await openStore(folder);
    for (const part of ["a", "b", "c"]) {
      const calls = [orderCall(`more-${part}`)];
      await createCollector(opened, shopClock).collect({ source: "webshop", calls });
      await sealInbox(opened);
    }
    const before = historyFiles(opened);
    const { rows } = historySummary(opened);
    opened.close();
    // Where the merging process runs, no process has the reader's number.
    const reader = startChild("reader", [folder]);
    await reader.until(`${rows} rows at first`);
    const merger = startChild("merger", [folder], [...NAMESPACE]);
    expect(await merger.end(), merger.complained()).to.equal(0);
    reader.child.stdin?.write("again\n");
    expect(await reader.end(), reader.complained()).to.equal(0);
    expect(reader.said()).to.include(`${rows} rows again, its folder is there`);
    const after = await openStore(folder);
    expect(historySummary(after).rows).to.equal(rows);
    expect(historyFiles(after).length, "files after merging").to.be.below(before.length);
    after.close();
  });
});
