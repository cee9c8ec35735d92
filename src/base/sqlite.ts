import Database from "better-sqlite3";
import { messageKey } from "./message-key.ts";

export type Sqlite = Database.Database;

/**
 * With a million customers, every event touches pages that few others do. Moving them from the log to the
 * database in lots of 64 MiB instead of 4, and keeping 128 MiB of them at hand, brings resolving at a million
 * customers from 1.9 times its cost at ten thousand to 1.4 times.
 */
const LOG_PAGES_MAX = 16_384;
const CACHE_KIB = 131_072;

/**
 * Opens the operational store: WAL, so that the server and the CLI work side by side, and
 * `synchronous=FULL`, so that what was committed survives a power cut. What is deleted is overwritten,
 * so that an erased person's bytes do not lie on in free pages. `check` may refuse the database by throwing,
 * before anything is written.
 */
export function openSqlite(file: string, check?: (database: Sqlite) => void): Sqlite {
  const database = new Database(file);
  try {
    check?.(database);
  } catch (error) {
    database.close();
    throw error;
  }
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("secure_delete = ON");
  database.pragma("foreign_keys = ON");
  database.pragma("busy_timeout = 10000");
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma(`wal_autocheckpoint = ${LOG_PAGES_MAX}`);
  database.function("message_key", { deterministic: true, directOnly: true }, messageKey);
  return database;
}

/**
 * Runs the work in one write transaction and commits it; rolls back where it throws. It takes the write lock at once: one that
 * reads first and writes later fails with "database is locked" where another process wrote in between. Inside another
 * transaction it is a part of that one. Every write transaction goes through here; the linter refuses others.
 */
export function writeTransaction<T>(sqlite: Sqlite, work: () => T): T {
  return sqlite.transaction(work).immediate();
}

/** Reads from one snapshot of the database, whatever is written meanwhile. The work must not write. */
export function readSnapshot<T>(sqlite: Sqlite, work: () => T): T {
  return sqlite.transaction(work).deferred();
}

/** Another connection to the same database, that reads one snapshot of it. Close it after use. */
export function openReader(sqlite: Sqlite): Sqlite {
  const reader = new Database(sqlite.name, { readonly: true });
  reader.exec("BEGIN");
  return reader;
}

/**
 * Commits without waiting for the disk, where what is written can be made again or is flushed before anybody
 * is told of it (`Store.flush`).
 */
export function withoutWaiting<T>(sqlite: Sqlite, work: () => T): T {
  sqlite.pragma("synchronous = NORMAL");
  try {
    return work();
  } finally {
    sqlite.pragma("synchronous = FULL");
  }
}

const prepared = new WeakMap<Sqlite, Map<string, Database.Statement>>();

/** A statement of a connection, prepared on first use: for what is asked too often to prepare each time. */
export function statementOf<Parameters extends unknown[], Row = unknown>(
  sqlite: Sqlite,
  sql: string,
): Database.Statement<Parameters, Row> {
  const known = prepared.get(sqlite) ?? new Map<string, Database.Statement>();
  prepared.set(sqlite, known);
  const statement = known.get(sql) ?? sqlite.prepare(sql);
  known.set(sql, statement);
  return statement as Database.Statement<Parameters, Row>;
}
