import { once } from "node:events";
import { existsSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  createLogger,
  type Every,
  literal,
  ServiceError,
  type Store,
  silentProgress,
  systemClock,
  systemEvery,
} from "../../src/base/index.ts";
import { COMPACTION_LIMITS } from "../../src/collection/compaction.ts";
import {
  compactHistory,
  defaultAsOf,
  historyFiles,
  importFile,
  makeBackup,
  runRetention,
} from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { resolveCustomers } from "../../src/customers/index.ts";
import { intentTask, repurchaseTask } from "../../src/models/index.ts";
import { currentRun, eachPrediction, scoreAll } from "../../src/predictions/index.ts";
import { publishRun } from "../../src/predictions/prediction-store.ts";
import { exportAudiences, refreshAudiences } from "../../src/segments/index.ts";
import { startServer } from "../../src/server.ts";
import { asWriter, openService } from "../../src/service.ts";
import { ordersFile } from "./fault-shop.ts";
import { shopMapping } from "./shop.ts";

/**
 * Works over a store until it is killed. A line on standard output says what it does next (`> seal`) or
 * what is done for good (`import 3`).
 *
 * - `serve <store> <speed>`: a server whose long intervals are so many times shorter
 * - `files <store> <round>`: imports, resolves, merges, takes away what is old, and backs up, over and over
 * - `scores <store> <round>`: scores everybody and publishes predictions and audiences, over and over
 * - `writer <store> <ms>`: becomes the only writer, again and again
 * - `merger <store>`: merges all history files, and clears up as the next writer does
 * - `reader <store>`: reads the history's files, and again when told to on standard input
 */
const [mode = "", folder = "", argument = ""] = process.argv.slice(2);
const service = await openService(readConfig({ store: folder }), { quiet: true });
const { store, clock } = service;
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

/** Up to this they are as they are: the shutdown deadline, too. */
const LONG_MS = 10_000;

async function serve(): Promise<void> {
  const every: Every = (intervalMs, work) =>
    systemEvery(intervalMs <= LONG_MS ? intervalMs : intervalMs / Number(argument), () => {
      if (intervalMs === 6 * LONG_MS) {
        say("> seal");
      }
      work();
    });
  const server = await startServer(service, "127.0.0.1", 0, every);
  say(`serves at ${server.url}`);
  await once(process, "SIGTERM");
  await server.close();
  service.close();
}

async function files(): Promise<never> {
  const limits = { ...COMPACTION_LIMITS, filesMin: 3 };
  const step = {
    update: (): undefined => undefined,
    end: (): undefined => undefined,
  };
  for (let count = 0; ; count++) {
    const name = `${argument}_${count}`;
    const file = ordersFile(folder, name);
    await asWriter(service, mode, async () => {
      say("> import");
      await importFile(store, clock, { file, mapping: shopMapping() }, step);
      say(`import ${name}`);
      say("> resolve");
      await resolveCustomers(store, clock);
      if (historyFiles(store).length >= limits.filesMin) {
        say("> compact");
        await compactHistory(store, { limits });
      }
      say("> retention");
      await runRetention(store, clock);
      say("> backup");
      const backup = join(folder, "..", "backups", name);
      await makeBackup(store, clock, backup, {
        modelsFolder: service.config.modelsFolder,
        withKey: true,
      });
      say(`backup ${name}`);
      say("> import");
    });
    rmSync(file);
  }
}

/** A run whose predictions all tell which run they are of: by a percentile that its instant decides. */
async function publishAgain(count: number): Promise<void> {
  for (const model of ["repurchase-week", "conversion-intent"] as const) {
    const run = currentRun(store, model);
    if (run === undefined) {
      throw new Error(`${model} was never scored`);
    }
    const asOf = run.asOfMs + 1000;
    const percentile = ((asOf / 1000) % 1000) / 1000;
    // One run has more than the next, so that a mix would be seen.
    const all = [...eachPrediction(store, run.id)].map((one) => ({ ...one, percentile }));
    await publishRun(
      store,
      {
        model,
        versionId: run.modelVersion,
        asOf,
        dataThrough: run.dataThroughMs,
        computedAt: asOf + 1,
      },
      count % 2 === 0 || all.length < 10 ? all : all.slice(0, -1),
    );
  }
}

async function scores(): Promise<never> {
  const context = {
    ...{ store, clock, modelsFolder: service.config.modelsFolder },
    ...{ logger: createLogger("silent"), progress: silentProgress },
  };
  const isScoring = Number(argument) % 3 === 0;
  const end = defaultAsOf(store, clock);
  for (let count = 1; ; count++) {
    if (isScoring) {
      const asOf = end + count * 1000;
      say("> score");
      await scoreAll({ ...context, asOf }, repurchaseTask());
      await scoreAll({ ...context, asOf }, intentTask({ hasVisits: false, poolDays: 365 }));
    } else {
      say("> publish predictions");
      await publishAgain(count);
    }
    say("> publish audiences");
    await refreshAudiences(store, clock, { minimumProbability: 0.05 });
    say("> export audiences");
    await exportAudiences(store, store.path("audiences"));
  }
}

const TURN_MS = 5;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Becomes the only writer for a moment, as often as it can; a file that was there on entering is a second writer's. */
async function writer(): Promise<void> {
  const inside = join(folder, "..", "inside");
  const until = systemClock.now() + Number(argument);
  let turns = 0;
  let met = 0;
  say("> write");
  while (systemClock.now() < until) {
    try {
      await asWriter(service, mode, async () => {
        turns++;
        met += existsSync(inside) ? 1 : 0;
        writeFileSync(inside, mode);
        await pause(TURN_MS);
        met += existsSync(inside) ? 0 : 1;
        rmSync(inside, { force: true });
      });
    } catch (error) {
      if (!(error instanceof ServiceError && error.code === "conflict")) {
        throw error;
      }
    }
    await pause(TURN_MS);
  }
  service.close();
  say(`${turns} turns, met ${met} others`);
}

async function merger(): Promise<void> {
  const limits = { ...COMPACTION_LIMITS, filesMin: 2 };
  await asWriter(service, "compact", () => compactHistory(store, { limits }));
  await asWriter(service, "compact", () => compactHistory(store, { limits }));
  service.close();
}

async function rowsIn(over: Store, names: readonly string[]): Promise<number> {
  let rows = 0;
  for (const name of names) {
    const duckdb = await over.openDuckDb();
    const file = literal(join(over.folder, "history", name));
    const [found] = await duckdb.rows(`SELECT count(*) AS n FROM read_parquet(${file})`);
    rows += Number(found?.["n"]);
    duckdb.close();
  }
  return rows;
}

async function reader(): Promise<void> {
  const session = await store.openDuckDb();
  const own = store.path("temporary");
  const names = historyFiles(store);
  say(`${await rowsIn(store, names)} rows at first`);
  await once(process.stdin, "data");
  const spilled = existsSync(own);
  say(`${await rowsIn(store, names)} rows again, its folder ${spilled ? "is there" : "is gone"}`);
  session.close();
  service.close();
  process.stdin.destroy();
}

const work = { serve, files, scores, writer, merger, reader }[mode];
if (work === undefined) {
  throw new Error(`no mode ${mode}`);
}
await work();
