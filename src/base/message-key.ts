import { hash } from "node:crypto";

const BYTES = 16;

/**
 * What a message is known by: the first 16 bytes of SHA-256 of its source, a line feed and its id. Among
 * ten thousand million messages, two share one with a probability below 10^-18. In DuckDB:
 * `substr(sha256(source || chr(10) || message_id), 1, 32)`, as hexadecimal digits.
 */
export function messageKey(source: string, messageId: string): Buffer {
  return hash("sha256", `${source}\n${messageId}`, "buffer").subarray(0, BYTES);
}
