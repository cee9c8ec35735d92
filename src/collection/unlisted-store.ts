import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Store } from "../base/index.ts";
import { historyFiles } from "./history-store.ts";
import { type Quarantined, setAside } from "./quarantine-store.ts";
import { deleteRetired, retiredFiles } from "./retired-store.ts";

/** A history file's name while it is being written. It never was visible, and is whole nowhere. */
const UNFINISHED = ".parquet.partial";

/** What lies in the history's folder that the database does not list, and that no reader may still want. */
export function unlistedFiles(store: Store): string[] {
  const known = new Set([...historyFiles(store), ...retiredFiles(store)]);
  return readdirSync(store.path("history"))
    .filter((name) => !known.has(name))
    .sort();
}

/**
 * Clears up after an interrupted writer: deletes retired files that nobody reads and files whose writing was not finished,
 * and moves what else the database does not list into quarantine. Call it as the only writer. Returns what was set aside.
 */
export function setAsideUnlisted(store: Store, clock: Clock): Quarantined[] {
  deleteRetired(store);
  const unlisted = unlistedFiles(store);
  for (const name of unlisted.filter((one) => one.endsWith(UNFINISHED))) {
    rmSync(join(store.path("history"), name), { force: true });
  }
  return unlisted
    .filter((name) => !name.endsWith(UNFINISHED))
    .map((name) =>
      setAside(
        store,
        clock,
        { folder: "history", name },
        "the database does not list it: an interrupted write, or not of this store",
      ),
    );
}
