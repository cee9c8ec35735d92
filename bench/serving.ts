import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** A server as `herkoop serve` starts it, in a process of its own. */
export interface Serving {
  readonly url: string;
  readonly pid: number;
  /** The body of a 200; throws on any other answer. Connections are kept. */
  send(method: string, path: string, body?: Buffer): Promise<string>;
  /** Kills it: what was answered is on disk. */
  stop(): Promise<void>;
}

const HERKOOP = join(import.meta.dirname, "..", "bin", "herkoop.js");
const CONNECTIONS = 32;

/** Serves a store on a free port; `send` shows the write key. Throws where it ends before it serves. */
export async function startServing(store: string, key: string): Promise<Serving> {
  const server = spawn(HERKOOP, ["--store", store, "serve", "--port", "0"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const url = await urlOf(server.stdout);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
  return {
    url,
    pid: server.pid ?? 0,
    send: (method, path, body) =>
      new Promise((resolve, reject) => {
        const headers =
          body === undefined
            ? {}
            : { authorization, "content-type": "application/json", "content-length": body.length };
        const sent = request(`${url}${path}`, { method, agent, headers }, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => (text += part));
          response.once("end", () => {
            if (response.statusCode === 200) {
              resolve(text);
            } else {
              reject(new Error(`${path}: ${response.statusCode ?? 0}: ${text.slice(0, 200)}`));
            }
          });
        });
        sent.once("error", reject).end(body);
      }),
    stop: async () => {
      agent.destroy();
      server.kill("SIGKILL");
      await once(server, "close");
    },
  };
}

async function urlOf(output: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    output.setEncoding("utf8").on("data", (part: string) => {
      const [url] = /http:\/\/[\d.:]+/.exec(part) ?? [];
      if (url !== undefined) {
        resolve(url);
      }
    });
    output.once("close", () => {
      reject(new Error("the server ended before it served"));
    });
  });
}
