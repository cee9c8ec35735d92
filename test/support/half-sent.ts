import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";

const MIB = 1024 * 1024;

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** Opens a connection that announces a body of 4 MiB and holds back its last byte; an answer closes it. */
export async function holdBack(url: string, authorization?: string): Promise<Socket> {
  const socket = connect(addressOf(url));
  socket.on("error", () => undefined).on("data", () => socket.destroy());
  await once(socket, "connect");
  const head = [
    "POST /v1/batch HTTP/1.1",
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    `Content-Length: ${4 * MIB}`,
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  socket.write(Buffer.alloc(4 * MIB - 1, " "));
  return socket;
}

/** JSON that is nested as deeply as fits into 4 MB, as gzip of about 4 kB. */
export const nestedBomb = (): Buffer => {
  const depth = MIB * 1.9;
  return gzipSync(Buffer.from(`{"writeKey":"x","batch":${"[".repeat(depth)}${"]".repeat(depth)}}`));
};

/** Opens a stream of server-sent events and waits until it is answered with 200. */
export async function openStream(url: string): Promise<Socket> {
  const socket = connect(addressOf(url));
  socket.on("error", () => undefined);
  socket.write("GET /v1/intent/stream?threshold=0.5 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  let said = "";
  for await (const part of socket.iterator({ destroyOnReturn: false })) {
    said += String(part);
    if (said.includes("listening")) {
      break;
    }
  }
  if (!said.startsWith("HTTP/1.1 200")) {
    throw new Error(`no stream: ${said}`);
  }
  return socket.resume();
}
