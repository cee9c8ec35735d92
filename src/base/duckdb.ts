import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { messageOf } from "./errors.ts";

export type SqlValue = string | number | bigint | boolean | null;
export type SqlRow = Record<string, SqlValue>;

export interface DuckDbOptions {
  /** Where DuckDB spills what does not fit in memory. */
  readonly temporaryFolder: string;
  readonly memoryLimitMiB?: number;
  readonly threads?: number;
}

/** How the folder of an open session begins. */
export const SPILL = "spill-";

/** One embedded, in-memory DuckDB session; files are read and written by SQL. Close it after use. */
export interface DuckDb {
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<SqlRow[]>;
  /**
   * The rows in bounded memory, a chunk of at most 2,048 at a time, column by column. Until it is read to
   * its end or left, any other statement of the session throws: it would end the stream unseen.
   */
  chunks(sql: string): AsyncGenerator<SqlValue[][]>;
  /** The same, as rows by column name. */
  rowChunks(sql: string): AsyncGenerator<SqlRow[]>;
  /** Appends rows to an existing table; values in column order. */
  append(table: string, rows: Iterable<readonly SqlValue[]>): Promise<void>;
  /** The same, a lot at a time, as they come. */
  appendLots(table: string, lots: AsyncIterable<Iterable<readonly SqlValue[]>>): Promise<void>;
  close(): void;
}

/** Opens a session; times are UTC, row order is kept, memory is bounded. */
export async function openDuckDb(options: DuckDbOptions): Promise<DuckDb> {
  mkdirSync(options.temporaryFolder, { recursive: true });
  // Two sessions that spill into one folder overwrite each other's files.
  const spillFolder = mkdtempSync(join(options.temporaryFolder, SPILL));
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(options.threads ?? Math.min(cpus().length, 8)),
    memory_limit: `${options.memoryLimitMiB ?? 1024}MB`,
    temp_directory: spillFolder,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  const streams = new OpenStreams();
  return {
    run: async (sql) => {
      streams.refuse(sql);
      await guarded(sql, () => connection.run(sql));
    },
    rows: async (sql) => {
      streams.refuse(sql);
      const reader = await guarded(sql, () => connection.runAndReadAll(sql));
      return reader.getRowObjects().map((row) => mapRow(row));
    },
    chunks: (sql) => streams.hold(sql, () => streamChunks(connection, sql)),
    rowChunks: (sql) => streams.hold(sql, () => streamRows(connection, sql)),
    append: async (table, rows) => {
      streams.refuse(`append to ${table}`);
      await appendRows(connection, table, [rows]);
    },
    appendLots: async (table, lots) => {
      streams.refuse(`append to ${table}`);
      await appendRows(connection, table, lots);
    },
    close: () => {
      connection.closeSync();
      instance.closeSync();
      rmSync(spillFolder, { recursive: true, force: true });
    },
  };
}

/** A text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as a quoted SQL identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Keeps a session's statements apart: one that runs beside a stream ends it without a word. */
class OpenStreams {
  #open: string | undefined;

  refuse(sql: string): void {
    if (this.#open !== undefined) {
      throw new Error(
        `DuckDB: a stream is still open: ${this.#open}\nbeside: ${sql.slice(0, 4000)}`,
      );
    }
  }

  async *hold<T>(sql: string, stream: () => AsyncGenerator<T>): AsyncGenerator<T> {
    this.refuse(sql);
    this.#open = sql.slice(0, 4000);
    try {
      yield* stream();
    } finally {
      this.#open = undefined;
    }
  }
}

async function* streamChunks(
  connection: DuckDBConnection,
  sql: string,
): AsyncGenerator<SqlValue[][]> {
  const result = await guarded(sql, () => connection.stream(sql));
  for (;;) {
    const chunk = await guarded(sql, () => result.fetchChunk());
    if (chunk === null || chunk.rowCount === 0) {
      return;
    }
    yield chunk.getColumns().map((column) => column.map(plain));
  }
}

async function* streamRows(connection: DuckDBConnection, sql: string): AsyncGenerator<SqlRow[]> {
  const result = await guarded(sql, () => connection.stream(sql));
  const names = result.deduplicatedColumnNames();
  for (;;) {
    const chunk = await guarded(sql, () => result.fetchChunk());
    if (chunk === null || chunk.rowCount === 0) {
      return;
    }
    yield chunk.getRowObjects(names).map((row) => mapRow(row));
  }
}

async function appendRows(
  connection: DuckDBConnection,
  table: string,
  lots: AsyncIterable<Iterable<readonly SqlValue[]>> | Iterable<Iterable<readonly SqlValue[]>>,
): Promise<void> {
  const appender = await connection.createAppender(table);
  for await (const rows of lots) {
    for (const row of rows) {
      for (const value of row) {
        appendValue(appender, value);
      }
      appender.endRow();
    }
  }
  appender.closeSync();
}

type Appender = Awaited<ReturnType<DuckDBConnection["createAppender"]>>;

function appendValue(appender: Appender, value: SqlValue): void {
  if (value === null) {
    appender.appendNull();
  } else if (typeof value === "string") {
    appender.appendVarchar(value);
  } else if (typeof value === "bigint") {
    appender.appendBigInt(value);
  } else if (typeof value === "boolean") {
    appender.appendBoolean(value);
  } else {
    appender.appendDouble(value);
  }
}

/** The engine could not do what a statement asks: a fault of ours, or a file that can't be read. */
export class DuckDbError extends Error {
  constructor(sql: string, cause: unknown) {
    super(`DuckDB: ${messageOf(cause)}\nin: ${sql.slice(0, 4000)}`, { cause });
    this.name = "DuckDbError";
  }
}

async function guarded<T>(sql: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new DuckDbError(sql, error);
  }
}

function mapRow(row: Record<string, DuckDBValue>): SqlRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
}

/** Whole numbers that fit become numbers; other engine types become text. */
function plain(value: DuckDBValue): SqlValue {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if (
    value === null ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    typeof value === "number"
  ) {
    return value;
  }
  return String(value);
}
