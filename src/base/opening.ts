import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { SPILL } from "./duckdb.ts";
import { locksFolder } from "./lock.ts";
import { lockDatabase, type Sqlite } from "./sqlite.ts";

/** One opening of a store: what it left unfinished goes when it is over, however it ends. */
export interface Opening {
  /** A folder for this opening alone, which exists from its first use on. */
  readonly temporaryFolder: string;
  /** A name of this opening alone for what becomes `target` when it is whole. */
  partial(target: string): string;
  close(): void;
}

/** Begins an opening of the store in a folder, and removes what openings left whose processes are gone. */
export function beginOpening(storeFolder: string): Opening {
  const { id, lock } = lockNewId(storeFolder);
  removeEnded(storeFolder);
  const temporaryFolder = join(temporaryOf(storeFolder), id);
  let partials = 0;
  return {
    temporaryFolder,
    partial: (target) => {
      const name = `${resolve(target)}.${id}-${++partials}.partial`;
      mkdirSync(temporaryFolder, { recursive: true });
      appendFileSync(join(temporaryFolder, PARTIALS), `${name}\n`);
      return name;
    },
    close: () => {
      removeOpening(storeFolder, id);
      lock.close();
    },
  };
}

/**
 * The DuckDB sessions over the store in a folder that are open now, in any process; each has a name of its own, for
 * all time. A session may still read any file that was visible while it was open.
 */
export function sessionsOf(storeFolder: string): string[] {
  const folder = temporaryOf(storeFolder);
  return namesIn(folder)
    .filter((id) => isOpen(storeFolder, id))
    .flatMap((id) =>
      namesIn(join(folder, id))
        .filter((name) => name.startsWith(SPILL))
        .map((session) => `${id}/${session}`),
    );
}

/** The list of what an opening writes, in its temporary folder. */
const PARTIALS = "partials.txt";

function temporaryOf(storeFolder: string): string {
  const folder = join(storeFolder, "temporary");
  mkdirSync(folder, { recursive: true });
  return folder;
}

function lockFileOf(storeFolder: string, id: string): string {
  return join(locksFolder(storeFolder), `opening-${id}.sqlite`);
}

/** A new id whose lock is held. Whoever looks for ended openings may lock or remove the file before it is locked here. */
function lockNewId(storeFolder: string): { readonly id: string; readonly lock: Sqlite } {
  for (;;) {
    const id = randomBytes(8).toString("hex");
    const file = lockFileOf(storeFolder, id);
    const lock = lockDatabase(file);
    if (lock !== undefined && existsSync(file)) {
      return { id, lock };
    }
    lock?.close();
  }
}

function isOpen(storeFolder: string, id: string): boolean {
  const lock = lockOfEnded(storeFolder, id);
  lock?.close();
  return lock === undefined;
}

/** The lock of an opening that has ended, or null where it left none; undefined while it is open. */
function lockOfEnded(storeFolder: string, id: string): Sqlite | null | undefined {
  const file = lockFileOf(storeFolder, id);
  if (!existsSync(file)) {
    return null;
  }
  try {
    return lockDatabase(file, { fileMustExist: true });
  } catch (error) {
    // Removed since.
    if (!existsSync(file)) {
      return null;
    }
    throw error;
  }
}

function removeEnded(storeFolder: string): void {
  const locked = namesIn(locksFolder(storeFolder)).flatMap(
    (name) => /^opening-(\w+)\.sqlite$/.exec(name)?.[1] ?? [],
  );
  for (const id of new Set([...locked, ...namesIn(temporaryOf(storeFolder))])) {
    const lock = lockOfEnded(storeFolder, id);
    if (lock !== undefined) {
      removeOpening(storeFolder, id);
      lock?.close();
    }
  }
}

/** The lock's file goes last, and while it is held: without it, the opening counts as ended. */
function removeOpening(storeFolder: string, id: string): void {
  const folder = join(temporaryOf(storeFolder), id);
  for (const partial of partialsIn(folder)) {
    if (partial.includes(`.${id}-`) && partial.endsWith(".partial")) {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  rmSync(folder, { recursive: true, force: true });
  rmSync(lockFileOf(storeFolder, id), { force: true });
}

function partialsIn(folder: string): string[] {
  const file = join(folder, PARTIALS);
  return existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
}

/** What a folder holds; nothing where it is gone. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      return [];
    }
    throw error;
  }
}
