import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ServiceError } from "../../base/index.ts";

/** The name of a backup's manifest. It is written last: a folder without one is no whole backup. */
export const BACKUP_FILE = "backup.json";

const copied = z.strictObject({
  /** From the backup's folder, such as `history/orders.parquet`. */
  name: z
    .string()
    .regex(/^(?!.*(^|\/)\.\.(\/|$))[^/\\][^\\]*$/, "expected a name inside the backup"),
  bytes: z.int().min(0),
  sha256: z.string().length(64),
});

const schema = z.object({
  format: z.literal(2),
  madeAt: z.string(),
  storeId: z.string(),
  generation: z.int(),
  /** Event lines in the history. */
  rows: z.int(),
  /** Whether the store's key is among the files. */
  hasKey: z.boolean(),
  files: z.array(copied),
});

/** What a backup holds: every file with its size and checksum. */
export type BackupManifest = z.infer<typeof schema>;

/** A file of a backup. */
export type CopiedFile = z.infer<typeof copied>;

/** Reads a backup's manifest. Throws `invalid-input` where the folder is no whole backup, or one of an older format. */
export function readBackupManifest(folder: string): BackupManifest {
  const file = join(folder, BACKUP_FILE);
  if (!existsSync(file)) {
    throw noBackup(folder, `it has no ${BACKUP_FILE}`);
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw noBackup(folder, `${BACKUP_FILE} can't be read`);
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) {
    return parsed.data;
  }
  const isOlder = typeof content === "object" && content !== null && !("format" in content);
  throw noBackup(
    folder,
    isOlder
      ? "an older version made it, without checksums; copy its files into a new store folder by hand, then run herkoop doctor"
      : `${BACKUP_FILE}: ${parsed.error.issues[0]?.path.join(".") ?? ""}: ${parsed.error.issues[0]?.message ?? ""}`,
  );
}

function noBackup(folder: string, why: string): ServiceError {
  return new ServiceError("invalid-input", `folder: ${folder} is no whole backup: ${why}`, {
    field: "folder",
  });
}
