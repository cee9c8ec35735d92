import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { nextTurn, openStore, systemClock } from "../src/base/index.ts";
import { createWriteKey } from "../src/collection/index.ts";
import { herkoop, startCommand, untilSaid } from "./support/command.ts";
import { inFolder } from "./support/temporary.ts";

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: number;
}

async function serve(store: string, ...args: readonly string[]): Promise<Started> {
  const child = startCommand(store, ["serve", "--port", "0", ...args]);
  child.stderr?.resume();
  const url = /http:\/\/[\d.:]+/.exec(await untilSaid(child, "serves at"))?.[0] ?? "";
  return { child, url, port: Number(new URL(url).port) };
}

/** A connection on which a request announces more than it sends, once the server reads it. */
async function halfUpload(port: number, key: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    `POST /v1/page HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${Buffer.from(`${key}:`).toString("base64")}\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`,
  );
  await once(socket, "data");
  return socket;
}

async function refusesConnections(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => {
      resolve(true);
    });
  });
}

async function withKey(work: (store: string, key: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const store = await openStore(join(folder, "store"));
    const { key } = createWriteKey(store, systemClock, "web");
    store.close();
    await work(join(folder, "store"), key);
  });
}

describe("herkoop serve", function () {
  this.timeout(120_000);

  it("ends with 0 at its deadline after SIGTERM, whatever is half-sent, and keeps what it accepted", async () => {
    await withKey(async (store, key) => {
      const { child, url, port } = await serve(store, "--shutdown-seconds", "1");
      const accepted = await fetch(`${url}/v1/page`, {
        method: "POST",
        headers: { authorization: `Basic ${Buffer.from(`${key}:`).toString("base64")}` },
        body: JSON.stringify({ anonymousId: "v" }),
      });
      expect(accepted.status).to.equal(200);
      const half = await halfUpload(port, key);
      child.kill("SIGTERM");
      expect(await once(child, "close")).to.deep.equal([0, null]);
      half.destroy();
      const status = await herkoop(store, "status", "--json");
      expect(JSON.parse(status.stdout)).to.have.nested.property("history.rows", 1);
    });
  });

  it("ends at once at the second signal", async () => {
    await withKey(async (store, key) => {
      const { child, port } = await serve(store, "--shutdown-seconds", "3600");
      const half = await halfUpload(port, key);
      child.kill("SIGTERM");
      while (!(await refusesConnections(port))) {
        await nextTurn();
      }
      child.kill("SIGINT");
      expect(await once(child, "close")).to.deep.equal([130, null]);
      half.destroy();
    });
  });

  it("refuses the second server of a store, with exit code 4 and the address of the first", async () => {
    await withKey(async (store) => {
      const { child, url } = await serve(store);
      for (const command of ["serve", "start"]) {
        const second = await herkoop(store, command, "--port", "0");
        expect(second).to.include({ code: 4, stdout: "" });
        expect(second.stderr).to.match(
          new RegExp(`^herkoop: a server on host .* serving this store at ${url} since .*\n$`),
        );
      }
      child.kill("SIGTERM");
      expect(await once(child, "close")).to.deep.equal([0, null]);
    });
  });
});
