import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSessions, type Store, writeTransaction } from "../base/index.ts";

/** Files that another one replaced and that may still be read; they are in no manifest any more. */
export function retiredFiles(store: Store): string[] {
  return store.sqlite
    .prepare<[], string>("SELECT name FROM retired_file ORDER BY name")
    .pluck()
    .all()
    .filter((name) => existsSync(join(store.path("history"), name)));
}

/**
 * Takes a file out of the manifest; call inside the transaction that makes what replaces it visible.
 * One that may not be read on is deleted at the next chance, whoever reads it.
 */
export function retireFile(store: Store, name: string, mayBeRead: boolean): void {
  store.sqlite.prepare("DELETE FROM history_file WHERE name = ?").run(name);
  store.sqlite.prepare("INSERT INTO retired_file VALUES (?, ?)").run(name, mayBeRead ? null : "[]");
}

/**
 * Deletes the retired files that nobody can be reading: those of which no session is left that was
 * open when they were retired. A session reads the manifest after it opens, so one that opened later
 * does not know the file. Returns how many are left.
 */
export function deleteRetired(store: Store): number {
  const open = openSessions(store);
  store.sqlite
    .prepare("UPDATE retired_file SET readers = ? WHERE readers IS NULL")
    .run(JSON.stringify(open));
  const retired = store.sqlite
    .prepare<[], { name: string; readers: string }>("SELECT name, readers FROM retired_file")
    .all();
  const free = retired.filter(
    ({ readers }) => !(JSON.parse(readers) as string[]).some((session) => open.includes(session)),
  );
  deleteFilesNow(
    store,
    free.map(({ name }) => name),
  );
  return retired.length - free.length;
}

/** Deletes retired files whoever reads them: a session that still wants one fails, and can be repeated. */
export function deleteFilesNow(store: Store, names: readonly string[]): void {
  const forget = store.sqlite.prepare("DELETE FROM retired_file WHERE name = ?");
  for (const name of names) {
    rmSync(join(store.path("history"), name), { force: true });
  }
  writeTransaction(store.sqlite, () => {
    for (const name of names) {
      forget.run(name);
    }
  });
}
