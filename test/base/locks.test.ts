import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  acquireServerLock,
  acquireWriterLock,
  fixedClock,
  openSessions,
  openStore,
  type Store,
} from "../../src/base/index.ts";
import { searchFiles } from "../../src/customers/rights/remains-store.ts";
import { outcomeOf, untilSaid } from "../support/command.ts";
import { inFolder, withStore } from "../support/temporary.ts";

const CHILD = join(import.meta.dirname, "..", "support", "lock-child.ts");
const TSX = import.meta.resolve("tsx");
const clock = fixedClock("2024-05-02T12:00:00Z");

/** In a process-id namespace of its own, a process is number 1, as in a container. */
const NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] as const;
const hasNamespaces = spawnSync(NAMESPACE[0], [...NAMESPACE.slice(1), "true"]).status === 0;

interface Said {
  readonly processId: number;
  readonly refusal: string | null;
  readonly sessions: readonly string[];
}

function start(mode: "hold" | "try", folder: string, within: readonly string[] = []): ChildProcess {
  const [command, ...args] = [...within, process.execPath, "--import", TSX, CHILD, mode, folder];
  return spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
}

async function hold(
  folder: string,
  within?: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly said: Said }> {
  const child = start("hold", folder, within);
  return { child, said: JSON.parse(await untilSaid(child, "\n")) as Said };
}

async function attempt(folder: string, within?: readonly string[]): Promise<Said> {
  return JSON.parse((await outcomeOf(start("try", folder, within))).stdout) as Said;
}

function write(store: Store): () => void {
  return acquireWriterLock(store, "import orders.csv", clock);
}

describe("locks of a store", function () {
  this.timeout(60_000);

  it("let one writer in, also within a process, and say who it is", async () => {
    await withStore(async (store, folder) => {
      const other = await openStore(join(folder, "store"));
      const release = write(store);
      const refusal = `"herkoop import orders.csv" on host ${hostname()} (process ${process.pid}) has been writing to this store since 2024-05-02T12:00:00Z; wait for it or stop it`;
      expect(() => write(other))
        .to.throw(refusal)
        .with.property("code", "conflict");
      expect(() => write(store)).to.throw(refusal);
      other.close();
      expect(() => write(store)).to.throw(refusal);
      release();
      release();
      write(store)();
    });
  });

  it("hold whatever the note beside them says", async () => {
    await withStore(async (store) => {
      const note = join(store.folder, "locks", "writer.json");
      writeFileSync(join(store.path("history"), "..", "locks", "writer.json"), "stale");
      const release = write(store);
      for (const content of ["{", '{"host":"h"}', "null"]) {
        writeFileSync(note, content);
        expect(() => write(store)).to.throw("another process is writing to this store");
      }
      rmSync(note);
      expect(() => write(store)).to.throw("another process is writing to this store");
      release();
      write(store)();
      return Promise.resolve();
    });
  });

  it("let one server in, and say where it serves", async () => {
    await withStore(async (store) => {
      const lock = acquireServerLock(store, clock);
      const serve = (): unknown => acquireServerLock(store, clock);
      expect(serve).to.throw(/has been serving this store since 2024-05-02T12:00:00Z; stop it/);
      lock.tell({ address: "http://127.0.0.1:8080" });
      expect(serve)
        .to.throw(/serving this store at http:\/\/127.0.0.1:8080 since/)
        .with.property("code", "conflict");
      write(store)();
      lock.release();
      acquireServerLock(store, clock).release();
      return Promise.resolve();
    });
  });

  it("end with a process that is killed, whatever it left", async () => {
    await inFolder(async (folder) => {
      const { child, said } = await hold(folder);
      expect(said.refusal).to.equal(null);
      const store = await openStore(join(folder, "store"));
      expect(() => write(store)).to.throw(`(process ${said.processId})`);
      expect(openSessions(store)).to.deep.equal(said.sessions);
      child.kill("SIGKILL");
      await once(child, "close");
      write(store)();
      expect(openSessions(store)).to.deep.equal([]);
      expect(readdirSync(join(folder, "out"))).to.have.length(1);
      const next = await openStore(join(folder, "store"));
      expect(readdirSync(join(folder, "out"))).to.deep.equal([]);
      next.close();
      store.close();
      expect(readdirSync(join(folder, "store", "temporary"))).to.deep.equal([]);
      expect(readdirSync(join(folder, "store", "locks"))).to.deep.equal(["writer.sqlite"]);
    });
  });

  it("hold while an erasure searches every file of the store", async () => {
    await withStore(async (store, folder) => {
      const release = write(store);
      await attempt(folder);
      await searchFiles(store.folder, [{ type: "email", value: "jan.jansen@example.com" }]);
      expect((await attempt(folder)).refusal).to.include(`(process ${process.pid})`);
      release();
    });
  });

  it("hold between process-id namespaces, where both processes are number 1", async function () {
    if (!hasNamespaces) {
      this.skip();
    }
    await inFolder(async (folder) => {
      const { child, said } = await hold(folder, NAMESPACE);
      expect(said).to.deep.include({ processId: 1, refusal: null });
      const other = await attempt(folder, NAMESPACE);
      expect(other.processId).to.equal(1);
      expect(other.refusal).to.include(`on host ${hostname()} (process 1) has been writing`);
      expect(other.sessions).to.deep.equal(said.sessions);
      const store = await openStore(join(folder, "store"));
      expect(openSessions(store)).to.deep.equal(said.sessions);
      expect(readdirSync(join(folder, "out"))).to.have.length(1);
      child.stdin?.end();
      await once(child, "close");
      write(store)();
      store.close();
      expect((await attempt(folder, NAMESPACE)).refusal).to.equal(null);
    });
  });

  it("keep what is open in use, and clear what has ended", async () => {
    await inFolder(async (folder) => {
      const temporary = join(folder, "store", "temporary");
      const outside = join(folder, "of-another.0123-1.partial");
      writeFileSync(outside, "half");
      mkdirSync(join(folder, "store", "locks"), { recursive: true });
      for (const name of ["1-1", "abcd", "rows.parquet"]) {
        mkdirSync(join(temporary, name), { recursive: true });
        writeFileSync(join(temporary, name, "partials.txt"), `${outside}\n`);
      }
      writeFileSync(join(folder, "store", "locks", "opening-abcd.sqlite"), "");
      const first = await openStore(join(folder, "store"));
      const partial = first.partial(join(folder, "rows.csv"));
      expect(first.partial(join(folder, "rows.csv"))).to.not.equal(partial);
      writeFileSync(partial, "half");
      const second = await openStore(join(folder, "store"));
      expect(first.path("temporary")).to.not.equal(second.path("temporary"));
      expect(readdirSync(temporary)).to.have.length(2);
      const duckdb = await first.openDuckDb();
      second.close();
      const third = await openStore(join(folder, "store"));
      expect(openSessions(third)).to.have.length(1);
      third.close();
      expect(await duckdb.rows("SELECT 1 AS one")).to.deep.equal([{ one: 1 }]);
      expect(readdirSync(folder)).to.include.members(["of-another.0123-1.partial"]);
      duckdb.close();
      first.close();
      expect(readdirSync(temporary)).to.deep.equal([]);
      expect(readdirSync(join(folder, "store", "locks"))).to.deep.equal([]);
      expect(readdirSync(folder).sort()).to.deep.equal(["of-another.0123-1.partial", "store"]);
    });
  });
});
