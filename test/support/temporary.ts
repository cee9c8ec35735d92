import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "../../src/base/index.ts";

/** Runs work in a folder of its own, removed afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "herkoop-test-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs work over a new, empty store. */
export async function withStore<T>(work: (store: Store, folder: string) => Promise<T>): Promise<T> {
  return inFolder(async (folder) => {
    const store = await openStore(join(folder, "store"));
    try {
      return await work(store, folder);
    } finally {
      store.close();
    }
  });
}
