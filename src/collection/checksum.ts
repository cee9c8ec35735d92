import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** Size and SHA-256 (hex) of a file. */
export interface Checksum {
  readonly bytes: number;
  readonly sha256: string;
}

const CHUNK_BYTES = 256 * 1024;

/** Reads a file, a part at a time, and returns its checksum. Rejects with the system's error where it can't be read. */
export async function checksumOf(file: string): Promise<Checksum> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
