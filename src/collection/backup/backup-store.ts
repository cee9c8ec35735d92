import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import {
  type Clock,
  DATABASE,
  KEY_FILE,
  openDatabaseFile,
  readIdentity,
  ServiceError,
  type Sqlite,
  STORE_FILE,
  type Store,
  toIso,
  writeStoreFile,
  writeTransaction,
} from "../../base/index.ts";
import { checksumOf } from "../checksum.ts";
import { type ManifestEntry, readManifest } from "../history-store.ts";
import { BACKUP_FILE, type BackupManifest, type CopiedFile } from "./backup-manifest.ts";
import { copyInto } from "./copy-file.ts";
import { verifyBackup } from "./verify-backup-store.ts";

/** A backup that was made of this store. Instants in epoch milliseconds. */
export interface Backup {
  readonly folder: string;
  readonly madeAt: number;
  readonly files: number;
  readonly rows: number;
}

/** What goes into a backup besides the database and the history. */
export interface BackupOptions {
  /** Where models lie. */
  readonly modelsFolder: string;
  /** Whether the store's key is copied: without it a restored store can't tell who was erased. */
  readonly withKey: boolean;
}

/** A file that a rewrite replaced while it was copied: the copy begins again. */
const ATTEMPTS = 5;

/**
 * Copies the store into a new or empty folder: the database as of one instant, the history files it lists, the model versions
 * it registers, files of rejects, the key, and a manifest with size and SHA-256 of each. Others go on reading and writing
 * meanwhile, also seals and imports. Throws `invalid-input` where the folder holds something, `damaged` where a file of the
 * history is.
 */
export async function makeBackup(
  store: Store,
  clock: Clock,
  given: string,
  options: BackupOptions,
): Promise<Backup> {
  const folder = resolve(given);
  refuseFolder(store, folder, given);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const madeAt = clock.now();
  // Known before it exists: an erasure must never miss a copy.
  store.sqlite.prepare("INSERT OR REPLACE INTO backup VALUES (?, ?, 0, 0)").run(folder, madeAt);
  // While a session is open, no file goes that was visible when it opened, unless a rewrite takes rows out of it.
  const session = await store.openDuckDb({ memoryLimitMiB: 100, threads: 1 });
  try {
    const manifest = await copyWhole(store, folder, options, toIso(madeAt));
    const backup = {
      ...{ folder, madeAt, rows: manifest.rows },
      files: manifest.files.filter(({ name }) => name.startsWith("history/")).length,
    };
    store.sqlite
      .prepare("UPDATE backup SET file_count = ?, row_count = ? WHERE folder = ?")
      .run(backup.files, backup.rows, folder);
    return backup;
  } finally {
    session.close();
  }
}

function refuseFolder(store: Store, folder: string, given: string): void {
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
}

async function copyWhole(
  store: Store,
  folder: string,
  options: BackupOptions,
  madeAt: string,
): Promise<BackupManifest> {
  for (let attempt = 1; ; attempt++) {
    try {
      const manifest = await copyOnce(store, folder, options, madeAt);
      writeFileSync(join(folder, BACKUP_FILE), `${JSON.stringify(manifest, null, 1)}\n`);
      return manifest;
    } catch (error) {
      for (const name of readdirSync(folder)) {
        rmSync(join(folder, name), { recursive: true, force: true });
      }
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || attempt === ATTEMPTS) {
        throw error;
      }
    }
  }
}

async function copyOnce(
  store: Store,
  folder: string,
  { modelsFolder, withKey }: BackupOptions,
  madeAt: string,
): Promise<BackupManifest> {
  const database = join(folder, DATABASE);
  store.sqlite.prepare("VACUUM INTO ?").run(database);
  const copy = openDatabaseFile(database);
  try {
    const entries = readManifest(copy);
    const { storeId, generation } = readIdentity(copy) ?? { storeId: "", generation: 0 };
    const files: CopiedFile[] = [];
    for (const entry of entries) {
      files.push(await copyHistoryFile(store, folder, entry));
    }
    for (const version of modelFolders(copy)) {
      files.push(...(await copyFolder(folder, join(modelsFolder, version), `models/${version}`)));
    }
    for (const file of rejectsFiles(copy)) {
      if (existsSync(file)) {
        files.push(await copyInto(folder, `rejects/${basename(file)}`, file));
      }
    }
    const key = join(store.folder, KEY_FILE);
    const hasKey = withKey && existsSync(key);
    if (hasKey) {
      files.push(await copyInto(folder, KEY_FILE, key));
    }
    writeStoreFile(folder, { storeId, generation, history: entries.map(listed) });
    files.push(await noted(folder, DATABASE), await noted(folder, STORE_FILE));
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0);
    return { format: 2, madeAt, storeId, generation, rows, hasKey, files };
  } finally {
    copy.close();
  }
}

function listed({ name, rows, bytes, sha256 }: ManifestEntry): {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number | null;
  readonly sha256: string | null;
} {
  return { name, rows, bytes, sha256 };
}

async function copyHistoryFile(
  store: Store,
  folder: string,
  entry: ManifestEntry,
): Promise<CopiedFile> {
  const from = join(store.path("history"), entry.name);
  const copied = await copyInto(folder, `history/${entry.name}`, from);
  if (entry.sha256 !== null && copied.sha256 !== entry.sha256) {
    throw new ServiceError(
      "damaged",
      `the history file ${entry.name} is damaged: its bytes have changed; no backup was made. Put it back from an earlier backup`,
    );
  }
  return copied;
}

function modelFolders(sqlite: Sqlite): string[] {
  return sqlite
    .prepare<[], string>("SELECT DISTINCT folder FROM model_version ORDER BY folder")
    .pluck()
    .all();
}

function rejectsFiles(sqlite: Sqlite): string[] {
  return sqlite
    .prepare<[], string>("SELECT rejects_file FROM import_run WHERE rejects_file IS NOT NULL")
    .pluck()
    .all();
}

async function copyFolder(backup: string, from: string, to: string): Promise<CopiedFile[]> {
  const files: CopiedFile[] = [];
  const entries = existsSync(from)
    ? readdirSync(from, { recursive: true, withFileTypes: true })
    : [];
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const name = `${to}/${relative(from, path).replaceAll("\\", "/")}`;
    files.push(await copyInto(backup, name, path));
  }
  return files;
}

async function noted(folder: string, name: string): Promise<CopiedFile> {
  return { name, ...(await checksumOf(join(folder, name))) };
}

/** The backups that are on record, the oldest first. */
export function listBackups(store: Store): Backup[] {
  return store.sqlite
    .prepare<[], Backup>(
      "SELECT folder, made_at AS madeAt, file_count AS files, row_count AS rows FROM backup ORDER BY made_at, folder",
    )
    .all();
}

/** Where a backup's files go. */
export interface CopyTarget {
  /** A new folder, to be opened as a store. */
  readonly folder: string;
  /** Where models go; those that are there stay. */
  readonly modelsFolder: string;
}

/**
 * Verifies a backup and copies it into a new folder, to be opened as a store. Throws `invalid-input` where it is no whole
 * backup, and `damaged` with the files that are; then nothing was copied.
 */
export async function copyBackup(given: string, target: CopyTarget): Promise<BackupManifest> {
  const { manifest, damaged } = await verifyBackup(given);
  const [first] = damaged;
  if (first !== undefined) {
    throw new ServiceError(
      "damaged",
      `backup: ${damaged.map(({ file, damage }) => `${file} (${damage})`).join(", ")}; nothing was restored`,
    );
  }
  mkdirSync(join(target.folder, "history"), { recursive: true, mode: 0o700 });
  for (const file of manifest.files) {
    await copyOut(resolve(given), file, target);
  }
  return manifest;
}

async function copyOut(backup: string, file: CopiedFile, target: CopyTarget): Promise<void> {
  const isModel = file.name.startsWith("models/");
  const [folder, name] = isModel
    ? [target.modelsFolder, file.name.slice("models/".length)]
    : [target.folder, file.name];
  if (isModel && existsSync(join(folder, name))) {
    return;
  }
  const { sha256 } = await copyInto(folder, name, join(backup, file.name));
  if (sha256 !== file.sha256) {
    throw new ServiceError("damaged", `backup: ${file.name} changed while it was copied`);
  }
}

/**
 * Takes over the key, the finished erasures and the tombstones of the store that was in use, which a
 * backup of before them lacks. Throws `invalid-input` where there is no such store.
 */
export function takeTombstones(store: Store, former: string): void {
  const folder = resolve(former);
  if (!existsSync(join(folder, DATABASE))) {
    throw new ServiceError("invalid-input", `tombstones-of: there is no store in ${former}`, {
      field: "tombstones-of",
    });
  }
  if (existsSync(join(folder, KEY_FILE))) {
    copyFileSync(join(folder, KEY_FILE), join(store.folder, KEY_FILE));
  }
  const { sqlite } = store;
  sqlite.prepare("ATTACH ? AS former").run(join(folder, DATABASE));
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
