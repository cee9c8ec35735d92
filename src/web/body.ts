import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { messageOf, ServiceError } from "../base/index.ts";
import type { Intake, IntakeSender, Upload } from "./intake.ts";
import { flattenDeep, shapeOf, topLevelText } from "./json-bytes.ts";

const FIRST_OF_GZIP = Buffer.from([0x1f, 0x8b]);

/** Beyond what a call of a batch may have; a call that goes on deeper is refused alone. */
const DEPTH_MAX = 128;

/** A full batch has 200,000 (a value each 20 bytes); a parser takes half a second for what 4 MB can hold. */
const VALUES_MAX = 250_000;

/** Who sends a body. */
export interface BodySenders<Sender extends IntakeSender> {
  /** The sender as headers and address say; undefined where they say none. */
  readonly known: Sender | undefined;
  /** The sender whose key is in the body; undefined where it has none. Throws `unauthorized`. */
  find(key: string | undefined): Sender;
}

/**
 * Reads a body as JSON, whatever its content type says, and inflates what is gzip, whatever its encoding says; then
 * works on it with its sender. Its bytes count in the intake until the work is done. Where only the body can say who
 * sends, its `writeKey` is read before anything is parsed, and has to stand in the first 64 KiB of a body
 * that is larger. What is nested more than 128 deep becomes 0. Throws `too-large`, `overloaded`, `timed-out`,
 * `unauthorized` or `invalid-input`.
 */
export async function withJsonBody<Sender extends IntakeSender, T>(
  request: IncomingMessage,
  intake: Intake,
  senders: BodySenders<Sender>,
  work: (body: unknown, sender: Sender) => Promise<T>,
): Promise<T> {
  let sender = senders.known;
  const upload = intake.open(sender);
  const identify = (start: Buffer): Sender => {
    const found = senders.find(topLevelText(start, "writeKey"));
    upload.identify(found);
    return found;
  };
  const identifyAt = (start: () => Buffer): void => {
    sender ??= identify(start());
  };
  try {
    refuseAnnounced(request, upload);
    const sent = await gather(request, upload, identifyAt);
    const isGzip = sent.subarray(0, 2).equals(FIRST_OF_GZIP);
    const text = isGzip ? await inflate(sent, upload, identifyAt) : sent;
    upload.arrived();
    sender ??= identify(text);
    return await work(parseJson(text), sender);
  } finally {
    upload.end();
  }
}

/** A body that says it is too large is not read; that of an unknown sender may still name a known one. */
function refuseAnnounced(request: IncomingMessage, { isKnown, bytesMax }: Upload): void {
  if (isKnown && Number(request.headers["content-length"] ?? 0) > bytesMax) {
    throw new ServiceError("too-large", `body: expected at most ${bytesMax} bytes`, {
      field: "body",
    });
  }
}

type IdentifyAt = (start: () => Buffer) => void;

async function gather(stream: Readable, upload: Upload, identifyAt: IdentifyAt): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const stop = (error: unknown): void => {
      stream.off("data", onData);
      reject(error instanceof Error ? error : new Error(messageOf(error)));
    };
    const onData = (chunk: Buffer): void => {
      try {
        if (!upload.isKnown && !upload.fits(chunk.length)) {
          identifyAt(() => Buffer.concat([...chunks, chunk]).subarray(0, upload.bytesMax));
        }
        upload.take(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        stop(error);
      }
    };
    upload.onCut(stop);
    stream.on("data", onData);
    stream.once("end", () => {
      resolve(Buffer.concat(chunks));
    });
    stream.on("error", (error: NodeJS.ErrnoException) => {
      stop(error.code === "ECONNRESET" ? brokenOff() : error);
    });
    stream.once("close", () => {
      if (!stream.readableEnded) {
        stop(brokenOff());
      }
    });
  });
}

function brokenOff(): ServiceError {
  return new ServiceError("invalid-input", "body: broken off", { field: "body" });
}

async function inflate(sent: Buffer, upload: Upload, identifyAt: IdentifyAt): Promise<Buffer> {
  const gunzip = createGunzip();
  gunzip.end(sent);
  try {
    return await gather(gunzip, upload, identifyAt);
  } catch (error) {
    throw error instanceof ServiceError
      ? error
      : new ServiceError("invalid-input", "body: expected gzip or plain JSON", { field: "body" });
  } finally {
    gunzip.destroy();
  }
}

function parseJson(text: Buffer): unknown {
  const { depth, values } = shapeOf(text, DEPTH_MAX);
  if (values > VALUES_MAX) {
    throw new ServiceError("too-large", `body: expected at most ${VALUES_MAX} values`, {
      field: "body",
    });
  }
  if (depth > DEPTH_MAX) {
    flattenDeep(text, DEPTH_MAX);
  }
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    throw new ServiceError("invalid-input", "body: expected JSON", { field: "body" });
  }
}
