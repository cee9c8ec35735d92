import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { join, relative, resolve } from "node:path";
import {
  type Clock,
  KEY_FILE,
  ServiceError,
  type Store,
  toIso,
  writeTransaction,
} from "../base/index.ts";
import { historyFiles, historySummary } from "./history-store.ts";

/** A backup that was made of this store. Instants in epoch milliseconds. */
export interface Backup {
  readonly folder: string;
  readonly madeAt: number;
  readonly files: number;
  readonly rows: number;
}

/**
 * Copies the store into a new or empty folder: the database as of one instant, the history files it
 * lists, the key, and a manifest. Call it as the only writer, so that no file goes while it is copied;
 * collecting goes on. Throws `invalid-input` where the folder holds something.
 */
export function makeBackup(store: Store, clock: Clock, given: string): Backup {
  const folder = resolve(given);
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new ServiceError("invalid-input", `folder: expected a new or empty one, got ${given}`, {
      field: "folder",
    });
  }
  if (!relative(resolve(store.folder), folder).startsWith("..")) {
    throw new ServiceError("invalid-input", "folder: expected one outside of the store", {
      field: "folder",
    });
  }
  const history = join(folder, "history");
  mkdirSync(history, { recursive: true });
  const names = historyFiles(store);
  const backup = {
    folder,
    madeAt: clock.now(),
    files: names.length,
    rows: historySummary(store).rows,
  };
  // Known before it exists: an erasure must never miss a copy.
  store.sqlite
    .prepare("INSERT OR REPLACE INTO backup VALUES (?, ?, ?, ?)")
    .run(folder, backup.madeAt, backup.files, backup.rows);
  store.sqlite.prepare("VACUUM INTO ?").run(join(folder, "herkoop.sqlite"));
  for (const name of names) {
    copyFileSync(
      join(store.path("history"), name),
      join(history, name),
      constants.COPYFILE_FICLONE,
    );
  }
  if (existsSync(join(store.folder, KEY_FILE))) {
    copyFileSync(join(store.folder, KEY_FILE), join(folder, KEY_FILE));
  }
  const manifest = { madeAt: toIso(backup.madeAt), rows: backup.rows, files: names };
  writeFileSync(join(folder, "backup.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  return backup;
}

/** The backups that are on record, the oldest first. */
export function listBackups(store: Store): Backup[] {
  return store.sqlite
    .prepare<[], Backup>(
      "SELECT folder, made_at AS madeAt, file_count AS files, row_count AS rows FROM backup ORDER BY made_at, folder",
    )
    .all();
}

/** Copies a backup into a new folder, to be opened as a store. Throws `invalid-input` where it is no backup. */
export function copyBackup(given: string, target: string): void {
  const folder = resolve(given);
  if (!existsSync(join(folder, "backup.json")) || !existsSync(join(folder, "herkoop.sqlite"))) {
    throw new ServiceError("invalid-input", `folder: ${given} is no whole backup`, {
      field: "folder",
    });
  }
  mkdirSync(join(target, "history"), { recursive: true });
  for (const name of ["herkoop.sqlite", KEY_FILE]) {
    if (existsSync(join(folder, name))) {
      copyFileSync(join(folder, name), join(target, name), constants.COPYFILE_FICLONE);
    }
  }
  for (const name of readdirSync(join(folder, "history"))) {
    copyFileSync(
      join(folder, "history", name),
      join(target, "history", name),
      constants.COPYFILE_FICLONE,
    );
  }
}

/**
 * Takes over the key, the finished erasures and the tombstones of the store that was in use, which a
 * backup of before them lacks. Throws `invalid-input` where there is no such store.
 */
export function takeTombstones(store: Store, former: string): void {
  const folder = resolve(former);
  if (!existsSync(join(folder, "herkoop.sqlite"))) {
    throw new ServiceError("invalid-input", `tombstones-of: there is no store in ${former}`, {
      field: "tombstones-of",
    });
  }
  if (existsSync(join(folder, KEY_FILE))) {
    copyFileSync(join(folder, KEY_FILE), join(store.folder, KEY_FILE));
  }
  const { sqlite } = store;
  sqlite.prepare("ATTACH ? AS former").run(join(folder, "herkoop.sqlite"));
  try {
    writeTransaction(sqlite, () => {
      sqlite.exec(
        `INSERT OR IGNORE INTO erasure SELECT * FROM former.erasure;
           INSERT OR IGNORE INTO tombstone SELECT * FROM former.tombstone;
           INSERT OR IGNORE INTO backup SELECT * FROM former.backup;
           UPDATE tombstone_version SET version = version + 1;`,
      );
    });
  } finally {
    sqlite.exec("DETACH former");
  }
}
