import { type ErrorCode, ServiceError } from "./errors.ts";

type Kind = readonly [code: ErrorCode, meaning: string];

/** What the system refused, and whose it is to mend. Anything else that it says may be a fault of ours. */
const SYSTEM: Readonly<Record<string, Kind>> = {
  EACCES: ["invalid-input", "this user has no permission"],
  EPERM: ["invalid-input", "this user has no permission"],
  EROFS: ["invalid-input", "it is on a read-only file system"],
  EISDIR: ["invalid-input", "expected a file, and it is a folder"],
  ENOTDIR: ["invalid-input", "expected a folder, and a part of the path is a file"],
  EEXIST: ["invalid-input", "expected a folder, and it is a file"],
  ELOOP: ["invalid-input", "its links lead in a circle"],
  ENAMETOOLONG: ["invalid-input", "the name is too long"],
  ENOSPC: ["not-ready", "the disk is full: free some space and try again"],
  EDQUOT: ["not-ready", "the disk quota is used up: free some space and try again"],
  EMFILE: ["overloaded", "too many files are open: raise the limit (ulimit -n)"],
  ENFILE: ["overloaded", "too many files are open on this machine"],
  EIO: ["not-ready", "the disk failed to read or write it"],
  SQLITE_READONLY: ["invalid-input", "the database cannot be written by this user"],
  SQLITE_CANTOPEN: ["invalid-input", "the database cannot be opened or made by this user"],
  SQLITE_PERM: ["invalid-input", "this user has no permission"],
  SQLITE_FULL: ["not-ready", "the disk is full: free some space and try again"],
  SQLITE_IOERR: ["not-ready", "the disk failed to read or write the database"],
  SQLITE_NOTADB: [
    "damaged",
    "herkoop.sqlite is no database: restore a backup, or make a new one from the history (herkoop rebuild)",
  ],
  SQLITE_CORRUPT: [
    "damaged",
    "herkoop.sqlite is damaged: restore a backup, or make a new one from the history (herkoop rebuild)",
  ],
  SQLITE_BUSY: ["overloaded", "another process is writing to it: try again"],
};

/**
 * What the operating system or SQLite refused, as an error that the user can mend, in one line: what it was about
 * and what is wrong. `subject` names the setting where the error names no path. Undefined for every other error,
 * which is a fault of ours and keeps its stack.
 */
export function systemError(error: unknown, subject: string): ServiceError | undefined {
  if (!(error instanceof Error) || error instanceof ServiceError) {
    return undefined;
  }
  const { code, path } = error as NodeJS.ErrnoException;
  // SQLite's extended codes say more than is needed here: SQLITE_IOERR_WRITE.
  const kind = SYSTEM[code ?? ""] ?? SYSTEM[(code ?? "").split("_").slice(0, 2).join("_")];
  if (kind === undefined) {
    return undefined;
  }
  const [errorCode, meaning] = kind;
  return new ServiceError(errorCode, `${path ?? subject}: ${meaning} (${code})`, { cause: error });
}
