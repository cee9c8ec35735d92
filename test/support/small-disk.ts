import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../src/base/index.ts";

/** A file system of its own that a test can fill. */
export interface SmallDisk {
  readonly folder: string;
  /** Takes all the room that is left, but for so many KiB. */
  fill(spareKib?: number): void;
  /** Gives the room back. */
  free(): void;
  remove(): void;
}

/** Mounts a small file system in memory; the reason, as a text, where that is not permitted here. */
export function mountSmallDisk(mebibytes: number): SmallDisk | string {
  const folder = mkdtempSync(join(tmpdir(), "herkoop-test-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder], {
      stdio: "pipe",
    });
  } catch (error) {
    rmSync(folder, { recursive: true });
    return `a file system can't be mounted here: ${messageOf(error).split("\n")[0] ?? ""}`;
  }
  const filler = join(folder, "filler");
  const free = (): void => {
    rmSync(filler, { force: true });
    rmSync(`${filler}.spare`, { force: true });
  };
  const pad = (file: string, bytes: number): void => {
    const handle = openSync(file, "w");
    const part = Buffer.alloc(4096, 1);
    try {
      for (let written = 0; written < bytes; written += part.length) {
        writeSync(handle, part);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") {
        throw error;
      }
    } finally {
      closeSync(handle);
    }
  };
  return {
    folder,
    fill: (spareKib = 0) => {
      pad(`${filler}.spare`, spareKib * 1024);
      pad(filler, Number.POSITIVE_INFINITY);
      rmSync(`${filler}.spare`, { force: true });
    },
    free,
    remove: () => {
      execFileSync("umount", ["--lazy", folder], { stdio: "pipe" });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
