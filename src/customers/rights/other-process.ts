import { spawn } from "node:child_process";
import { once } from "node:events";
import { PIECE_BYTES } from "./byte-search.ts";

/** Writes each file in pieces, each behind its number and length (32 bits, big-endian). */
const SCRIPT = `
const fs = require("node:fs");
const piece = Buffer.alloc(8 + ${PIECE_BYTES});
const all = (data) => { for (let at = 0; at < data.length; ) {
  try { at += fs.writeSync(1, data, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
} };
JSON.parse(fs.readFileSync(0, "utf8")).forEach((file, index) => {
  let handle;
  try { handle = fs.openSync(file, "r"); } catch (error) { if (error.code === "ENOENT") return; throw error; }
  for (let read; (read = fs.readSync(handle, piece, 8, ${PIECE_BYTES}, null)) > 0; ) {
    piece.writeUInt32BE(index, 0);
    piece.writeUInt32BE(read, 4);
    all(piece.subarray(0, 8 + read));
  }
  fs.closeSync(handle);
});`;

const HEADER_BYTES = 8;

/**
 * The content of files in pieces, read by another process, which is gone afterwards: whoever closes any handle of a
 * SQLite file gives up the locks that the whole process holds on it (SQLite, "How To Corrupt", 2.2).
 */
export async function* piecesByOther(
  files: readonly string[],
): AsyncGenerator<readonly [file: string, piece: Buffer]> {
  if (files.length === 0) {
    return;
  }
  const child = spawn(process.execPath, ["-e", SCRIPT], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {},
  });
  const ended = once(child, "close") as Promise<[number | null]>;
  child.stdin.end(JSON.stringify(files));
  let waiting: Buffer[] = [];
  let bytes = 0;
  let wanted = HEADER_BYTES;
  for await (const data of child.stdout as AsyncIterable<Buffer>) {
    waiting.push(data);
    bytes += data.length;
    while (bytes >= wanted) {
      const all = Buffer.concat(waiting);
      const size = HEADER_BYTES + all.readUInt32BE(4);
      wanted = all.length >= size ? HEADER_BYTES : size;
      if (all.length >= size) {
        yield [files[all.readUInt32BE(0)] ?? "", all.subarray(HEADER_BYTES, size)];
      }
      waiting = [all.length >= size ? all.subarray(size) : all];
      bytes = waiting[0]?.length ?? 0;
    }
  }
  const [code] = await ended;
  if (code !== 0) {
    throw new Error(`the database's files could not be read: exit code ${String(code)}`);
  }
}
