import Database from "better-sqlite3";
import { messageKey } from "./message-key.ts";

export type Sqlite = Database.Database;

/**
 * Opens the operational store: WAL, so that the server and the CLI work side by side, and
 * `synchronous=FULL`, so that what was committed survives a power cut. What is deleted is overwritten,
 * so that an erased person's bytes do not lie on in free pages.
 */
export function openSqlite(file: string): Sqlite {
  const database = new Database(file);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("secure_delete = ON");
  database.pragma("foreign_keys = ON");
  database.pragma("busy_timeout = 10000");
  database.function("message_key", { deterministic: true, directOnly: true }, messageKey);
  return database;
}
