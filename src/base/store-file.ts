import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** The name of the file in which a store's folder says which store it is. */
export const STORE_FILE = "store.json";

const historyFile = z.strictObject({
  name: z.string().min(1),
  rows: z.int().min(0),
  /** Null for files that are older than checksums. */
  bytes: z.int().min(0).nullable(),
  sha256: z.string().nullable(),
});

const schema = z.object({
  storeId: z.string().min(1),
  generation: z.int().min(0),
  history: z.array(historyFile),
});

/**
 * What the folder of a store says of itself, next to the database: which store it is, how often its history changed
 * (`generation`), and the files that the history has, in order. It is written after each change is committed, so that the
 * database is at this generation or ahead of it; one that is behind is an old copy.
 */
export type StoreFile = z.infer<typeof schema>;

/** A file of the history as the folder lists it. */
export type ListedFile = z.infer<typeof historyFile>;

/** What the folder says; undefined where it says nothing, "unreadable" where it can't be read. */
export function readStoreFile(folder: string): StoreFile | "unreadable" | undefined {
  const file = join(folder, STORE_FILE);
  if (!existsSync(file)) {
    return undefined;
  }
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(file, "utf8")));
    return parsed.success ? parsed.data : "unreadable";
  } catch (error) {
    if (error instanceof SyntaxError) {
      return "unreadable";
    }
    throw error;
  }
}

/** Writes what the folder says, whole or not at all, and flushed. */
export function writeStoreFile(folder: string, content: StoreFile): void {
  const file = join(folder, STORE_FILE);
  const partial = `${file}.partial`;
  const handle = openSync(partial, "w", 0o600);
  try {
    writeSync(handle, `${JSON.stringify(content, null, 1)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(partial, file);
}
