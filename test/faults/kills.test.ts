import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
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
  createWriteKey,
  historyFiles,
  importFile,
  runRetention,
  sealInbox,
} from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import { numberArgument } from "../support/arguments.ts";
import {
  makeTemplates,
  ORDERS_PER_FILE,
  ordersFile,
  type Templates,
} from "../support/fault-shop.ts";
import { historyRows } from "../support/live.ts";
import { killAll, startChild, untilServing } from "../support/processes.ts";
import { expectPublished } from "../support/published.ts";
import { createSender, expectAllOnce, expectLines } from "../support/senders.ts";
import { shopMapping } from "../support/shop.ts";

/** Kills of all lanes together. */
const KILLS = numberArgument("kills", 200);
const SEALS_PER_MINUTE = 120;

/** How often a child was killed after it had said that it would do something. */
class Phases {
  readonly counts = new Map<string, number>();
  add(said: string): void {
    const last = said.split("\n").findLast((line) => line.startsWith("> ")) ?? "> start";
    this.counts.set(last, (this.counts.get(last) ?? 0) + 1);
  }
  of(...names: string[]): number {
    return names.reduce((sum, name) => sum + (this.counts.get(`> ${name}`) ?? 0), 0);
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Done lines of a killed child; the last line may be half a line. */
function doneIn(said: string, what: string): string[] {
  const lines = said.split("\n").slice(0, -1);
  return lines
    .filter((line) => line.startsWith(`${what} `))
    .map((line) => line.split(" ")[1] ?? "");
}

async function checked(folder: string, check: (store: Store) => unknown): Promise<void> {
  const store = await openStore(folder);
  try {
    await check(store);
  } finally {
    store.close();
  }
}

/** Starts the child, kills it a random moment after it said one of the texts, in turn, and tells what it said. */
async function killInTurn(
  child: ReturnType<typeof startChild>,
  after: readonly (readonly [text: string, windowMs: number])[],
  round: number,
  random: Random,
): Promise<string> {
  const [text, windowMs] = after[round % after.length] ?? ["", 0];
  await child.until(text);
  await wait(windowMs * random.next());
  await child.kill();
  expect(child.child.signalCode, child.complained()).to.equal("SIGKILL");
  expect(child.complained()).to.equal("");
  return child.said();
}

describe(`a store whose processes are killed ${KILLS} times at random moments`, function () {
  this.timeout(900_000);
  let templates: Templates;
  let lanes: Readonly<Record<"live" | "files" | "scores", Promise<void>>>;

  before(async () => {
    templates = await makeTemplates({ hasModels: true });
    // Side by side: each mostly waits for its child to start.
    lanes = { live: killServers(), files: killImports(), scores: killScoring() };
    // The test of each tells how it went.
    await Promise.allSettled(Object.values(lanes));
  });
  after(async () => {
    await killAll();
    templates.remove();
  });

  it("loses and doubles nothing that a server acknowledged, in ingest, resolve, seal and compaction", () =>
    lanes.live);
  it("has all rows of a file once or none, in import, resolve, compaction, retention and backup", () =>
    lanes.files);
  it("shows one whole publication of predictions and audiences, in scoring and publishing", () =>
    lanes.scores);

  async function killServers(): Promise<void> {
    const folder = join(templates.folder(), "store");
    let key = "";
    await checked(folder, (store) => ({ key } = createWriteKey(store, systemClock, "webshop")));
    const random = seededRandom(21);
    const acknowledged = new Set<string>();
    const phases = new Phases();
    for (let round = 0; round < 0.35 * KILLS; round++) {
      const child = startChild("serve", [folder, String(SEALS_PER_MINUTE)]);
      const { url } = await untilServing(child);
      const sender = createSender(key, `m${round}`);
      const kill = async (): Promise<void> => {
        // Every other round lives until it seals, and some longer.
        if (round % 2 === 1) {
          await child.until("> seal");
        }
        await wait((round % 2 === 1 ? 200 : 400) * random.next());
        phases.add(child.said());
        await child.kill();
      };
      await sender.during(url, kill, 5);
      sender.acknowledged.forEach((id) => acknowledged.add(id));
      await checked(folder, (store) => expectLines(store, acknowledged));
    }
    expect(acknowledged.size).to.be.above(KILLS);
    expect(phases.of("seal"), JSON.stringify([...phases.counts])).to.be.at.least(0.1 * KILLS);
    await checked(folder, async (store) => {
      await resolveCustomers(store, systemClock);
      await sealInbox(store);
      await compactHistory(store);
    });
    const counts = await expectAllOnce(folder, acknowledged);
    await checked(folder, (store) => {
      const known = store.sqlite.prepare("SELECT count(*) FROM message").pluck().get();
      expect(known, "message ids").to.equal(counts.size);
      expect(
        readdirSync(join(folder, "history")).filter((name) => name.endsWith(".partial")),
      ).to.deep.equal([]);
    });
  }

  async function killImports(): Promise<void> {
    const folder = join(templates.folder(), "store");
    const random = seededRandom(22);
    const phases = new Phases();
    const imported = new Set<string>();
    const backedUp = new Set<string>();
    const after = [
      ["> import\n", 250],
      ["> resolve\n", 80],
      ["> compact\n", 150],
      ["> retention\n", 150],
      ["> backup\n", 40],
    ] as const;
    for (let round = 0; round < 0.35 * KILLS; round++) {
      const child = startChild("files", [folder, String(round)]);
      const said = await killInTurn(child, after, round, random);
      phases.add(said);
      doneIn(said, "import").forEach((name) => imported.add(name));
      doneIn(said, "backup").forEach((name) => backedUp.add(name));
      await checked(folder, (store) => expectFiles(store, imported));
    }
    expectWholeBackups(join(folder, "..", "backups"), backedUp);
    for (const phase of KILLS >= 100
      ? ["import", "resolve", "compact", "retention", "backup"]
      : []) {
      expect(phases.of(phase), JSON.stringify([...phases.counts])).to.be.at.least(0.02 * KILLS);
    }
    await checked(folder, async (store) => {
      const file = ordersFile(folder, "last");
      await importFile(store, systemClock, { file, mapping: shopMapping() });
      await resolveCustomers(store, systemClock);
      await runRetention(store, systemClock);
      await compactHistory(store);
      const names = await expectFiles(store, [...imported, "last"]);
      const orders = store.sqlite.prepare("SELECT count(*) FROM order_summary").pluck().get();
      expect(orders, "orders of profiles").to.equal(names * ORDERS_PER_FILE);
      const [old] = await historyRows(
        store,
        "SELECT count(*) AS n FROM history WHERE event = 'Product Viewed'",
      );
      expect(Number(old?.["n"]), "views that retention takes away").to.equal(0);
    });
  }

  async function killScoring(): Promise<void> {
    const folder = templates.shop();
    const random = seededRandom(23);
    const phases = new Phases();
    const after = [
      ["> score\n", 1500],
      ["> publish predictions\n", 120],
      ["> export audiences\n", 120],
    ] as const;
    const rounds = KILLS - 2 * Math.ceil(0.35 * KILLS);
    for (let round = 0; round < rounds; round++) {
      const child = startChild("scores", [folder, String(round)]);
      phases.add(await killInTurn(child, after, round, random));
      await checked(folder, expectPublished);
    }
    const shown = JSON.stringify([...phases.counts]);
    expect(phases.of("score"), shown).to.be.at.least(0.1 * rounds);
    const publishing = ["publish predictions", "publish audiences", "export audiences"];
    expect(phases.of(...publishing), shown).to.be.at.least(0.3 * rounds);
  }
});

/** Checks that the history has of every file all orders, each once, or none; of these all. Returns the number of files. */
async function expectFiles(store: Store, names: Iterable<string>): Promise<number> {
  const found = await historyRows(
    store,
    `SELECT user_id AS name, count(*) AS n, count(DISTINCT order_id) AS orders, count(DISTINCT message_id) AS ids
     FROM history WHERE event = 'Order Completed' GROUP BY 1`,
  );
  const isWhole = (file: (typeof found)[number]): boolean =>
    ["n", "orders", "ids"].every((count) => Number(file[count]) === ORDERS_PER_FILE);
  expect(
    found.filter((file) => !isWhole(file)),
    "files not there once",
  ).to.deep.equal([]);
  const there = new Set(found.map((file) => String(file["name"])));
  expect(
    [...names].filter((name) => !there.has(name)),
    "imported and lost",
  ).to.deep.equal([]);
  const runs = store.sqlite.prepare("SELECT count(*) FROM import_run").pluck().get();
  expect(found.length, "import runs").to.equal(runs);
  expect(
    historyFiles(store).filter((name) => !existsSync(join(store.folder, "history", name))),
  ).to.deep.equal([]);
  return found.length;
}

/** Checks that a backup that was said to be done has all its files, and that another has no manifest or all of them. */
function expectWholeBackups(folder: string, done: ReadonlySet<string>): void {
  mkdirSync(folder, { recursive: true });
  const whole = readdirSync(folder).filter((name) => existsSync(join(folder, name, "backup.json")));
  expect(
    [...done].filter((name) => !whole.includes(name)),
    "backups lost",
  ).to.deep.equal([]);
  for (const name of whole) {
    const { files } = JSON.parse(readFileSync(join(folder, name, "backup.json"), "utf8")) as {
      readonly files: readonly (string | { readonly name: string })[];
    };
    const parts = files.map((file) => (typeof file === "string" ? `history/${file}` : file.name));
    const lacking = parts.filter((part) => !existsSync(join(folder, name, part)));
    expect(lacking, `files of the backup ${name}`).to.deep.equal([]);
  }
}
