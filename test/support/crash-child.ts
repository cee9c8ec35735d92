import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { acquireWriterLock, openStore, type Store, systemClock } from "../../src/base/index.ts";
import { COMPACTION_LIMITS } from "../../src/collection/compaction.ts";
import {
  compactHistory,
  createCollector,
  createWriteKey,
  historyFiles,
  importFile,
  sealInbox,
  setAsideUnlisted,
} from "../../src/collection/index.ts";
import { orderCall } from "./live.ts";
import { shopMapping } from "./shop.ts";

/**
 * Works over a store until it is killed. `live` collects and, side by side, seals and merges; each batch
 * repeats half of the one before. `files` imports a new file and merges, over and over. A line on
 * standard output says what it does next (`> seal`) or what is done for good: a message id, `import 3`.
 */
const [mode = "", folder = "", round = ""] = process.argv.slice(2);
const ROWS_PER_FILE = 1500;
const store = await openStore(join(folder, "store"));
const limits = { ...COMPACTION_LIMITS, filesMin: 3 };
const say = (text: string): void => {
  // A kill must find all that was said, so nothing waits in a buffer of this process; the pipe may be full.
  for (let rest = Buffer.from(`${text}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") {
        throw error;
      }
    }
  }
};

async function asWriter(work: () => Promise<void>): Promise<void> {
  const release = acquireWriterLock(store, mode, systemClock);
  try {
    setAsideUnlisted(store, systemClock);
    await work();
  } finally {
    release();
  }
}

async function compact(): Promise<void> {
  if (historyFiles(store).length >= limits.filesMin) {
    say("> compact");
    await compactHistory(store, { limits });
  }
}

/** Collecting is faster than sealing in small files; beyond this it waits, or no round would end. */
const WAITING_LINES_MAX = 2_000;

async function collect(): Promise<never> {
  const collector = createCollector(store, systemClock);
  const waiting = store.sqlite.prepare<[], number>("SELECT count(*) FROM inbox").pluck();
  for (let batch = 0; ; batch++) {
    const ids = Array.from({ length: 10 }, (_, index) => `${round}-${5 * batch + index}`);
    const calls = ids.map((id) => orderCall(id));
    const results = await collector.collect({ source: "webshop", calls });
    say(results.map(({ messageId }) => messageId ?? "").join("\n"));
    do {
      await new Promise((resolve) => setImmediate(resolve));
    } while ((waiting.get() ?? 0) > WAITING_LINES_MAX);
  }
}

async function seal(): Promise<never> {
  for (;;) {
    await asWriter(async () => {
      say("> seal");
      await sealInbox(store, { linesPerFileMax: 400 });
      await compact();
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function importAll(): Promise<never> {
  for (let count = 0; ; count++) {
    const name = `${round}_${count}`;
    const file = join(folder, `${name}.csv`);
    writeFileSync(file, rowsOf(name));
    await asWriter(async () => {
      const step = {
        update: (done: number): void => {
          say(`> import step ${done}`);
        },
        end: (): undefined => undefined,
      };
      say("> import step 0");
      await importFile(store, systemClock, { file, mapping: shopMapping() }, step);
      say(`import ${name}`);
      await compact();
    });
  }
}

function rowsOf(name: string): string {
  const at = "2024-01-05T10:00:00Z";
  const rows = Array.from(
    { length: ROWS_PER_FILE },
    (_, index) => `${name},,order,${name}-${index},A,1,10,${at},${at}`,
  );
  return ["user,visitor,event,order,product,quantity,price,at,known", ...rows, ""].join("\n");
}

async function work(over: Store): Promise<unknown> {
  if (mode === "files") {
    return importAll();
  }
  createWriteKey(over, systemClock, "webshop");
  return Promise.all([collect(), seal()]);
}

await work(store);
