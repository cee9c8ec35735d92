import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { openStore, type Sqlite } from "../../src/base/index.ts";
import { openSqlite } from "../../src/base/sqlite.ts";
import { createCollector } from "../../src/collection/index.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import {
  MESSAGES,
  makeTemplates,
  ordersFile,
  shopCalls,
  type Templates,
} from "../support/fault-shop.ts";
import { isClearLine, killAll, runHerkoop, startHerkoop } from "../support/processes.ts";
import { importLines, rhythmicOrders, shopClock } from "../support/shop.ts";

const DATABASE = "herkoop.sqlite";

/** Every file of the history by name, with its checksum. */
function historyOf(folder: string): Record<string, string> {
  const history = join(folder, "history");
  const names = existsSync(history) ? readdirSync(history).sort() : [];
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(history, name)))
        .digest("hex"),
    ]),
  );
}

function removeDatabase(folder: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(join(folder, DATABASE + suffix), { force: true });
  }
}

/** What a rebuild has to bring back, read from the database as it is. */
function knowledgeOf(sqlite: Sqlite): Record<string, unknown> {
  const rows = (sql: string): unknown => sqlite.prepare(sql).raw().all();
  return {
    customers: rows(
      "SELECT count(*) FROM (SELECT DISTINCT customer_id FROM identifier WHERE customer_id IS NOT NULL)",
    ),
    identifiers: rows("SELECT type, value FROM identifier ORDER BY 1, 2"),
    together: rows(
      `SELECT group_concat(t, ' ') AS g FROM (SELECT customer_id, type || ':' || value AS t FROM identifier ORDER BY customer_id, t)
       GROUP BY customer_id ORDER BY g`,
    ),
    orders: rows(
      `SELECT i.value, o.source, o.order_id, o.line_count, o.quantity, o.amount, o.refunded_amount, o.is_cancelled
       FROM order_summary o JOIN identifier i ON i.id = o.identifier_id ORDER BY 1, 2, 3`,
    ),
    consents: rows(
      `SELECT i.value, c.purpose, c.status FROM consent c JOIN identifier i ON i.customer_id = c.customer_id ORDER BY 1, 2, 3`,
    ),
    messages: rows("SELECT count(*) FROM message"),
    history: rows("SELECT sum(row_count) FROM history_file"),
    imports: rows("SELECT count(*), sum(rows_accepted) FROM import_run"),
  };
}

async function withSqlite<T>(folder: string, work: (sqlite: Sqlite) => T): Promise<T> {
  const store = await openStore(folder);
  try {
    return work(store.sqlite);
  } finally {
    store.close();
  }
}

interface State {
  readonly name: string;
  /** Whether a rebuild is the way back; else the database is to be left as it is. */
  readonly isRebuilt: boolean;
  readonly told: RegExp;
  break(folder: string): Promise<void> | void;
}

describe("a database that does not belong to the history beside it", function () {
  this.timeout(180_000);
  let templates: Templates;
  let yesterday: string;
  let today: string;
  let known: Record<string, unknown>;

  before(async () => {
    templates = await makeTemplates({ hasModels: false });
    today = templates.shop();
    yesterday = join(templates.folder(), DATABASE);
    cpSync(join(today, DATABASE), yesterday);
    const later = await openStore(today);
    await importLines(later, join(today, ".."), rhythmicOrders(6, 90, 5), undefined, "later.csv");
    await resolveCustomers(later, shopClock);
    later.sqlite.pragma("wal_checkpoint(TRUNCATE)");
    known = knowledgeOf(later.sqlite);
    later.close();
  });
  afterEach(killAll);
  after(() => {
    templates.remove();
  });

  const states: readonly State[] = [
    { name: "missing", isRebuilt: true, told: /rebuild/, break: removeDatabase },
    {
      name: "older than the folder, as of yesterday",
      isRebuilt: true,
      told: /rebuild/,
      break: (folder) => {
        removeDatabase(folder);
        cpSync(yesterday, join(folder, DATABASE));
      },
    },
    {
      name: "foreign",
      isRebuilt: true,
      told: /rebuild/,
      break: async (folder) => {
        // Of a store that was begun elsewhere.
        const elsewhere = join(templates.folder(), "store");
        const store = await openStore(elsewhere);
        await importLines(store, join(elsewhere, ".."), rhythmicOrders(3, 60, 8));
        store.sqlite.pragma("wal_checkpoint(TRUNCATE)");
        store.close();
        removeDatabase(folder);
        cpSync(join(elsewhere, DATABASE), join(folder, DATABASE));
      },
    },
    {
      name: "empty",
      isRebuilt: true,
      told: /rebuild/,
      break: (folder) => {
        removeDatabase(folder);
        writeFileSync(join(folder, DATABASE), "");
      },
    },
    {
      name: "damaged",
      isRebuilt: true,
      told: /rebuild/,
      break: (folder) => {
        removeDatabase(folder);
        writeFileSync(join(folder, DATABASE), Buffer.alloc(200_000, "not a database "));
      },
    },
    {
      name: "newer than the program",
      isRebuilt: false,
      told: /newer|later|9999-of-tomorrow/,
      break: (folder) => {
        const sqlite = openSqlite(join(folder, DATABASE));
        sqlite.prepare("INSERT INTO migration (name) VALUES ('9999-of-tomorrow')").run();
        sqlite.close();
      },
    },
  ];

  for (const state of states) {
    it(`${state.name}: nothing of the history goes, commands and the server refuse and name the way back`, async () => {
      const folder = join(templates.folder(), "store");
      cpSync(today, folder, { recursive: true });
      const before = historyOf(folder);
      expect(Object.keys(before).length).to.be.above(2);
      await state.break(folder);
      const file = ordersFile(folder, "more");
      const [sealed, served, imported] = [
        startHerkoop(folder, ["seal"]),
        startHerkoop(folder, ["serve", "--port", "0"]),
        startHerkoop(folder, ["import", file, "--preset", "shopify"]),
      ];
      for (const command of [sealed, imported]) {
        const code = await command.end();
        expect(historyOf(folder), "the history").to.deep.equal(before);
        expect(code, command.complained()).to.not.be.oneOf([0, null]);
        expect(isClearLine(command.complained()), command.complained()).to.equal(true);
        expect(command.complained()).to.match(state.told);
      }
      expect(await served.end(20_000), served.said()).to.not.be.oneOf([0, null]);
      expect(isClearLine(served.complained()), served.complained()).to.equal(true);
      expect(served.complained()).to.match(state.told);
      expect(historyOf(folder), "the history").to.deep.equal(before);
      if (state.isRebuilt) {
        await expectRebuilt(folder, known);
        const after = historyOf(folder);
        expect(Object.keys(before).filter((name) => after[name] !== before[name])).to.deep.equal(
          [],
        );
      }
    });
  }
});

async function expectRebuilt(folder: string, known: Record<string, unknown>): Promise<void> {
  const rebuilt = await runHerkoop(folder, ["rebuild"]);
  expect(rebuilt.code, rebuilt.stderr).to.equal(0);
  const found = await withSqlite(folder, knowledgeOf);
  for (const [what, value] of Object.entries(known)) {
    expect(found[what], what).to.deep.equal(value);
  }
  const store = await openStore(folder);
  try {
    const calls = shopCalls();
    const results = await createCollector(store, shopClock).collect({ source: "webshop", calls });
    const repeated = results.filter(({ status }) => status === "duplicate");
    expect(repeated.length, "messages known again").to.equal(MESSAGES);
  } finally {
    store.close();
  }
}
