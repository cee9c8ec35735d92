import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  openStore,
  type Random,
  type Store,
  seededRandom,
  systemClock,
} from "../../src/base/index.ts";
import {
  compactHistory,
  historyFiles,
  historySummary,
  importFile,
  sealInbox,
  setAsideUnlisted,
} from "../../src/collection/index.ts";
import { historyRows, linesByMessage } from "../support/live.ts";
import { shopMapping } from "../support/shop.ts";

const CHILD = join(import.meta.dirname, "..", "support", "crash-child.ts");
const ROWS_PER_FILE = 1500;
/**
 * Each lane has as many kills, every other one after the child began to work, the others after it began
 * to merge; spread evenly over so long a part of what it does then.
 */
const KILLS = 50;
const AFTER = [
  { said: "> ", windowMs: 900 },
  { said: "> compact\n", windowMs: 250 },
] as const;

type Mode = "live" | "files";

/** What a killed child had said: what it was about to do last, and what was done for good. */
interface Killed {
  readonly phase: string;
  readonly done: readonly string[];
}

/** Runs the child, kills it so long after it said a text, and returns all it said. */
async function killAfter(
  mode: Mode,
  folder: string,
  round: number,
  after: { readonly said: string; readonly delayMs: number },
): Promise<Killed> {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, mode, folder, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const wasSaid = said.includes(after.said);
    said += text;
    if (!wasSaid && said.includes(after.said)) {
      setTimeout(() => child.kill("SIGKILL"), after.delayMs);
    }
  });
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  expect(signal, said).to.equal("SIGKILL");
  // The last line may be half a line.
  const lines = said.split("\n").slice(0, -1);
  const phases = lines.filter((line) => line.startsWith("> "));
  return {
    phase: phases.at(-1)?.slice(2) ?? "start",
    done: lines.filter((line) => !line.startsWith("> ")),
  };
}

/** What a killed writer left in the history's folder. */
function remains(store: Store): string {
  const visible = new Set(historyFiles(store));
  const strays = readdirSync(store.path("history")).filter((name) => !visible.has(name));
  if (strays.some((name) => name.endsWith(".partial"))) {
    return "a partial file";
  }
  const retired = new Set(
    store.sqlite.prepare<[], string>("SELECT name FROM retired_file").pluck().all(),
  );
  if (strays.some((name) => !retired.has(name))) {
    return "a whole file that is not visible";
  }
  return retired.size > 0 ? "retired files" : "nothing";
}

interface Lane {
  readonly done: ReadonlySet<string>;
  /** Kills by what the child was about to do, and by what it left. */
  readonly phases: ReadonlyMap<string, number>;
  readonly remains: ReadonlyMap<string, number>;
}

async function killAgainAndAgain(mode: Mode, folder: string, random: Random): Promise<Lane> {
  mkdirSync(folder);
  const done = new Set<string>();
  const phases = new Map<string, number>();
  const left = new Map<string, number>();
  const count = (counts: Map<string, number>, name: string): unknown =>
    counts.set(name, (counts.get(name) ?? 0) + 1);
  for (let round = 0; round < KILLS; round++) {
    const { said, windowMs } = AFTER[round % 2 === 0 ? 0 : 1];
    const delayMs = (windowMs * (round + random.next())) / KILLS;
    const killed = await killAfter(mode, folder, round, { said, delayMs });
    for (const line of killed.done) {
      done.add(line);
    }
    count(phases, killed.phase);
    const store = await openStore(join(folder, "store"));
    count(left, remains(store));
    store.close();
  }
  return { done, phases, remains: left };
}

/** Seals, merges and clears up as the next writer does; afterwards what is on disk is what is visible. */
async function recover(store: Store): Promise<void> {
  setAsideUnlisted(store, systemClock);
  await sealInbox(store);
  await compactHistory(store);
  expect(readdirSync(store.path("history")).sort()).to.deep.equal([...historyFiles(store)].sort());
}

const total = (counts: ReadonlyMap<string, number>, ...names: string[]): number =>
  [...counts].reduce((sum, [name, n]) => sum + (names.includes(name) ? n : 0), 0);

describe("collection, killed at 100 random instants", function () {
  this.timeout(600_000);
  let folder: string;
  let live: Lane;
  let files: Lane;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "herkoop-test-"));
    [live, files] = await Promise.all([
      killAgainAndAgain("live", join(folder, "live"), seededRandom(11)),
      killAgainAndAgain("files", join(folder, "files"), seededRandom(12)),
    ]);
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("loses no acknowledged message and doubles none, in ingest, seal and compaction", async () => {
    const store = await openStore(join(folder, "live", "store"));
    try {
      const before = await linesByMessage(store);
      await recover(store);
      const counts = await linesByMessage(store);
      expect(counts).to.deep.equal(before);
      expect([...live.done].filter((id) => counts.get(id) !== 2)).to.deep.equal([]);
      expect([...counts.values()].filter((lines) => lines !== 2)).to.deep.equal([]);
      const known = store.sqlite.prepare("SELECT count(*) FROM message").pluck().get();
      expect(counts.size).to.equal(known);
      expect(historySummary(store).rows).to.equal(2 * counts.size);
    } finally {
      store.close();
    }
  });

  it("has of every file all rows once or none, in import and compaction", async () => {
    const store = await openStore(join(folder, "files", "store"));
    try {
      await recover(store);
      const found = await historyRows(
        store,
        "SELECT user_id AS name, count(*) AS rows, count(DISTINCT message_id) AS ids FROM history GROUP BY 1",
      );
      const isWhole = ({ rows, ids }: (typeof found)[number]): boolean =>
        rows === ROWS_PER_FILE && ids === ROWS_PER_FILE;
      expect(found.filter((file) => !isWhole(file))).to.deep.equal([]);
      const names = new Set(found.map((file) => `import ${String(file["name"])}`));
      expect([...files.done].filter((name) => !names.has(name))).to.deep.equal([]);
      const runs = store.sqlite.prepare("SELECT count(*) FROM import_run").pluck().get();
      expect(found.length).to.equal(runs);
      // A file whose import was killed can be imported again.
      const isUnborn = (name: string): boolean =>
        name.endsWith(".csv") &&
        !names.has(`import ${name.replace(".csv", "")}`) &&
        readFileSync(join(folder, "files", name), "utf8").split("\n").length === ROWS_PER_FILE + 2;
      const unborn = readdirSync(join(folder, "files")).filter(isUnborn);
      expect(unborn).to.not.deep.equal([]);
      const file = join(folder, "files", unborn[0] ?? "");
      const report = await importFile(store, systemClock, { file, mapping: shopMapping() });
      expect(report.rowsAccepted).to.equal(ROWS_PER_FILE);
    } finally {
      store.close();
    }
  });

  it("was killed in every phase, and left what has to be cleared up", () => {
    const shown = JSON.stringify(
      [live, files].map((lane) => [[...lane.phases], [...lane.remains]]),
    );
    const steps = [...files.phases.keys()].filter((phase) => phase.startsWith("import step"));
    const compactions = total(live.phases, "compact") + total(files.phases, "compact");
    expect(total(live.phases, "seal"), shown).to.be.at.least(5);
    expect(compactions, shown).to.be.at.least(5);
    expect(total(files.phases, ...steps), shown).to.be.at.least(10);
    expect(steps.length, shown).to.be.at.least(4);
    const clean = total(live.remains, "nothing") + total(files.remains, "nothing");
    expect(clean, shown).to.be.below(2 * KILLS);
  });
});
