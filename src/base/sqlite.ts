import Database from "better-sqlite3";
import { busyInWords } from "./busy.ts";
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
 * transaction it is a part of that one. Every write transaction goes through here; the linter refuses others. Throws `busy`
 * where another process held the lock for longer than the connection waits; then nothing was done.
 */
export function writeTransaction<T>(sqlite: Sqlite, work: () => T): T {
  try {
    return sqlite.transaction(work).immediate();
  } catch (error) {
    throw busyInWords(error);
  }
}

/**
 * Lets a connection wait for no other writer: waiting would stop the event loop. What it writes from then on is tried again
 * by `whenFree`. The returned function lets it wait again.
 */
export function waitOffLoop(sqlite: Sqlite): () => void {
  const before = Number(sqlite.pragma("busy_timeout", { simple: true }));
  sqlite.pragma("busy_timeout = 0");
  return () => {
    if (sqlite.open) {
      sqlite.pragma(`busy_timeout = ${before}`);
    }
  };
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

/** A database file that nobody writes, such as a copy, to be read. Close it after use. */
export function openDatabaseFile(file: string): Sqlite {
  return new Database(file, { readonly: true, fileMustExist: true });
}

/** What is wrong with a database file that nobody writes; undefined where all of it can be read. */
export function checkDatabaseFile(file: string): string | undefined {
  try {
    const database = openDatabaseFile(file);
    try {
      const fault = database.pragma("quick_check(1)", { simple: true });
      return fault === "ok" ? undefined : String(fault);
    } finally {
      database.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
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

/**
 * Takes the exclusive lock on a small database file of its own, without waiting; the connection that holds it, or
 * undefined where another one does, of this process or any other. The operating system ends the lock with its process.
 * Nothing may open such a file by `fs`: closing it again drops the lock (sqlite.org/howtocorrupt.html, 2.2).
 * Nothing is ever written to it, so an interrupted holder leaves no journal.
 */
export function lockDatabase(
  file: string,
  options: { readonly fileMustExist?: boolean } = {},
): Sqlite | undefined {
  const database = new Database(file, { ...options, timeout: 0 });
  // Of two that come at the same moment, each can stop the other halfway: a refusal counts when it comes again.
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
    try {
      database.pragma("journal_mode = MEMORY");
      database.exec("BEGIN EXCLUSIVE");
      return database;
    } catch (error) {
      if (!(error instanceof Database.SqliteError) || error.code !== "SQLITE_BUSY") {
        database.close();
        throw error;
      }
    }
  }
  database.close();
  return undefined;
}

const LOCK_ATTEMPTS = 5;

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
