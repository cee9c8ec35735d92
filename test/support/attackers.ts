import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";

/** Floods and misuse of a server, for tests. Each takes the server's address, such as http://127.0.0.1:8080. */

/** A connection of an attacker. */
export interface Held {
  readonly socket: Socket;
  /** The status of the answer, once there is one; undefined where the connection ended without. */
  readonly status: Promise<number | undefined>;
  /** What came back so far. */
  readonly said: () => string;
}

interface HoldOptions {
  readonly count: number;
  /** What each announces as its length. */
  readonly announce: number;
  /** What each sends of it; all but the last byte unless given. */
  readonly send?: number;
  readonly path?: string;
  /** Lines of the head besides Host and Content-Length, such as Authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How each body begins; spaces follow. */
  readonly start?: string;
}

/** Opens connections that announce a body and hold back its last byte. Resolves once each has sent the rest, or cannot. */
export async function holdBodies(url: string, options: HoldOptions): Promise<Held[]> {
  const { count, announce, send = announce - 1, path = "/v1/batch", start = "" } = options;
  const lines = Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  const body = Buffer.alloc(send, " ");
  body.write(start);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const held = await openRaw(url);
      const head = [`POST ${path} HTTP/1.1`, "Host: 127.0.0.1", ...lines];
      held.socket.write(`${head.join("\r\n")}\r\nContent-Length: ${announce}\r\n\r\n`);
      await Promise.race([new Promise((resolve) => held.socket.write(body, resolve)), held.status]);
      return held;
    }),
  );
}

/** Opens a connection on which bytes are written as they are. */
export async function openRaw(url: string): Promise<Held> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  let said = "";
  const status = new Promise<number | undefined>((resolve) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      said += text;
      const [, code] = /^HTTP\/1\.1 (\d{3})/.exec(said) ?? [];
      // 100 only says to go on.
      if (code !== undefined && code !== "100") {
        resolve(Number(code));
      }
    });
    socket.once("close", () => {
      resolve(undefined);
    });
  });
  await Promise.race([once(socket, "connect"), status]);
  return { socket, status, said: () => said };
}

/** Hangs up. */
export function release(held: readonly Held[]): void {
  for (const { socket } of held) {
    socket.destroy();
  }
}

/** JSON of 4 MB in less than 10 kB: lists in each other, nothing else. */
export function nestedGzip(bytes = 4_000_000): Buffer {
  const half = Math.floor(bytes / 2);
  return gzipSync("[".repeat(half) + "]".repeat(half));
}

/** A batch of 4 MB in a few kB: one call whose properties are lists in each other. */
export function nestedBatchGzip(bytes = 4_000_000): Buffer {
  const half = Math.floor(bytes / 2) - 60;
  return gzipSync(
    `{"batch":[{"type":"page","userId":"u","properties":{"a":${"[".repeat(half)}${"]".repeat(half)}}}]}`,
  );
}

/** A list of as many empty lists as fit: what costs a parser most for its length. */
export function wideGzip(bytes = 4_000_000): Buffer {
  return gzipSync(`[${"[],".repeat(Math.floor(bytes / 3) - 2)}0]`);
}

/** Posts a body so many times at once, and returns the statuses in order; undefined where the server hung up. */
export async function postMany(
  url: string,
  body: Buffer,
  count: number,
  { path = "/v1/batch", headers = {} }: Pick<HoldOptions, "path" | "headers"> = {},
): Promise<(number | undefined)[]> {
  const statuses = Array.from({ length: count }, async () => {
    try {
      const answer = await fetch(`${url}${path}`, {
        method: "POST",
        headers,
        body: new Uint8Array(body),
      });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return undefined;
    }
  });
  return Promise.all(statuses);
}

/** Asks for an address under another name, as a page does whose name was made to lead here. */
export async function rebind(
  url: string,
  host: string | undefined,
  path = "/v1/health",
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const held = await openRaw(url);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const named = host === undefined ? [] : [`Host: ${host}`];
  const version = host === undefined ? "1.0" : "1.1";
  const head = [`GET ${path} HTTP/${version}`, ...named, ...lines, "Connection: close"];
  held.socket.write(`${head.join("\r\n")}\r\n\r\n`);
  if (!held.socket.closed) {
    await once(held.socket, "close");
  }
  return { status: await held.status, text: held.said() };
}

/** The headers of a sender with a write key. */
export function basic(key: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${key}:`).toString("base64")}` };
}
