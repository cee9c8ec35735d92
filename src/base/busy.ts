import Database from "better-sqlite3";
import { ServiceError } from "./errors.ts";

/** Whether an error says that another process writes to the database, so that the same can be tried again. */
export function isBusy(error: unknown): boolean {
  return error instanceof ServiceError ? error.code === "busy" : isSqliteBusy(error);
}

/** A busy database in words (`busy`), for whoever asked; any other error as it is. */
export function busyInWords(error: unknown): unknown {
  return isSqliteBusy(error)
    ? new ServiceError(
        "busy",
        "another process is writing to this store and did not let go in time; nothing was changed by this step, try again",
        { cause: error },
      )
    : error;
}

function isSqliteBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}
