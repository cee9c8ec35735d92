import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { messageOf, ServiceError } from "../base/index.ts";

/** Bounds what all requests together hold in memory. */
export interface Intake {
  /** Counts bytes in. Throws `overloaded` rather than hold more than the bound. */
  take(bytes: number): void;
  give(bytes: number): void;
}

/** An intake that holds at most `bytesMax` at a time. */
export function createIntake(bytesMax: number): Intake {
  let held = 0;
  return {
    take: (bytes) => {
      if (held + bytes > bytesMax) {
        throw new ServiceError(
          "overloaded",
          "more is arriving than can be written; send it again after Retry-After",
        );
      }
      held += bytes;
    },
    give: (bytes) => {
      held -= bytes;
    },
  };
}

const BODY_BYTES_MAX = 4 * 1024 * 1024;

const FIRST_OF_GZIP = Buffer.from([0x1f, 0x8b]);

/**
 * Reads a body as JSON, whatever its content type says, and inflates what is gzip, whatever its
 * encoding says; then works on it. Its bytes count in the intake until the work is done. Throws
 * `too-large`, `overloaded`, or `invalid-input`; what is refused halfway is read off unkept, so that
 * the sender hears why.
 */
export async function withJsonBody<T>(
  request: IncomingMessage,
  intake: Intake,
  work: (body: unknown) => Promise<T>,
): Promise<T> {
  let held = 0;
  const keep = (bytes: number): void => {
    if (held + bytes > BODY_BYTES_MAX) {
      throw new ServiceError("too-large", `body: expected at most ${BODY_BYTES_MAX} bytes`, {
        field: "body",
      });
    }
    intake.take(bytes);
    held += bytes;
  };
  try {
    keep(Math.min(Number(request.headers["content-length"] ?? 0), BODY_BYTES_MAX + 1));
    intake.give(held);
    held = 0;
    const sent = await gather(request, keep);
    const isGzip = sent.subarray(0, 2).equals(FIRST_OF_GZIP);
    const text = isGzip ? await inflate(sent, keep) : sent;
    return await work(parseJson(text));
  } finally {
    intake.give(held);
    request.resume();
  }
}

async function gather(stream: Readable, keep: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const onData = (chunk: Buffer): void => {
      try {
        keep(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        stream.off("data", onData);
        reject(error instanceof Error ? error : new Error(messageOf(error)));
      }
    };
    stream.on("data", onData);
    stream.once("end", () => {
      resolve(Buffer.concat(chunks));
    });
    stream.once("error", reject);
    stream.once("close", () => {
      if (!stream.readableEnded) {
        reject(new ServiceError("invalid-input", "body: broken off", { field: "body" }));
      }
    });
  });
}

async function inflate(sent: Buffer, keep: (bytes: number) => void): Promise<Buffer> {
  const gunzip = createGunzip();
  gunzip.end(sent);
  try {
    return await gather(gunzip, keep);
  } catch (error) {
    throw error instanceof ServiceError
      ? error
      : new ServiceError("invalid-input", "body: expected gzip or plain JSON", { field: "body" });
  } finally {
    gunzip.destroy();
  }
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    throw new ServiceError("invalid-input", "body: expected JSON", { field: "body" });
  }
}
