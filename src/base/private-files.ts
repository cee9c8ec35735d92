import { chmodSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { isMainThread } from "node:worker_threads";

const PRIVATE = 0o077;

/** What the user's umask was. */
let usual: number | undefined;

/**
 * From now on, this process makes files (0600) and folders (0700) for its user alone, whoever makes them: SQLite, DuckDB,
 * or a child process. What is written outside of a store gets its usual modes by `shareOutput`.
 */
export function createPrivately(): void {
  if (usual === undefined && isMainThread) {
    usual = process.umask(PRIVATE);
  }
}

/** Lets nobody else into a folder of our own; one that others share (such as /tmp) or own stays as it is. */
export function closeFolder(folder: string): void {
  const { mode, uid } = statSync(folder);
  const isShared = (mode & 0o1000) !== 0 || uid !== process.getuid?.();
  if (!isShared && (mode & PRIVATE) !== 0) {
    chmodSync(folder, mode & 0o700);
  }
}

/** Makes a folder for output, if absent; outside of the store, whoever the user's umask lets in may read it. */
export function makeOutputFolder(storeFolder: string, folder: string): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first !== undefined) {
    for (let made = resolve(folder); made.length >= first.length; made = dirname(made)) {
      share(storeFolder, made);
    }
  }
}

/** Gives output outside of the store, a file or a folder with all in it, the modes that the user's umask says. */
export function shareOutput(storeFolder: string, path: string): void {
  share(storeFolder, path);
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path)) {
      shareOutput(storeFolder, join(path, name));
    }
  }
}

function share(storeFolder: string, path: string): void {
  const isInside = !relative(resolve(storeFolder), resolve(path)).startsWith("..");
  if (usual !== undefined && !isInside) {
    chmodSync(path, (statSync(path).isDirectory() ? 0o777 : 0o666) & ~usual);
  }
}
