import { closeSync, constants, copyFileSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { checksumOf } from "../checksum.ts";
import type { CopiedFile } from "./backup-manifest.ts";

/** Copies a file under a name into a folder, flushed, and returns the checksum of the copy. */
export async function copyInto(folder: string, name: string, from: string): Promise<CopiedFile> {
  const target = join(folder, name);
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  copyFileSync(from, target, constants.COPYFILE_FICLONE);
  const handle = openSync(target, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return { name, ...(await checksumOf(target)) };
}
