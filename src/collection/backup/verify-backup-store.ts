import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkDatabaseFile, DATABASE } from "../../base/index.ts";
import { checksumOf } from "../checksum.ts";
import type { Damage } from "../verify-store.ts";
import { type BackupManifest, readBackupManifest } from "./backup-manifest.ts";

/** What a check of a backup came to. */
export interface BackupCheck {
  readonly manifest: BackupManifest;
  readonly bytes: number;
  readonly damaged: readonly Damage[];
}

/**
 * Compares every file of a backup with its size and checksum, and checks that its database can be read. Throws `invalid-input`
 * where the folder is no whole backup.
 */
export async function verifyBackup(given: string): Promise<BackupCheck> {
  const folder = resolve(given);
  const manifest = readBackupManifest(folder);
  const damaged: Damage[] = [];
  let bytes = 0;
  for (const file of manifest.files) {
    bytes += file.bytes;
    const damage = await damageOf(join(folder, file.name), file);
    if (damage !== undefined) {
      damaged.push({ file: file.name, damage });
    }
  }
  if (!damaged.some(({ file }) => file === DATABASE)) {
    const fault = checkDatabaseFile(join(folder, DATABASE));
    if (fault !== undefined) {
      damaged.push({ file: DATABASE, damage: fault });
    }
  }
  return { manifest, bytes, damaged };
}

async function damageOf(
  path: string,
  file: BackupManifest["files"][number],
): Promise<string | undefined> {
  if (!existsSync(path)) {
    return "it is missing";
  }
  const { bytes, sha256 } = await checksumOf(path);
  if (bytes !== file.bytes) {
    return `it has ${bytes} bytes instead of ${file.bytes}`;
  }
  return sha256 === file.sha256 ? undefined : "its bytes have changed";
}
