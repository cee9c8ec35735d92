import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { createWriteKey } from "../../src/collection/index.ts";
import { createHttpServer } from "../../src/web/index.ts";
import { basic, type Held, holdBodies, openRaw, release } from "../support/attackers.ts";
import { INTENT } from "../support/samples.ts";
import { withStore } from "../support/temporary.ts";
import { apiOver, clock, fillShop } from "../support/web.ts";

type Line = Readonly<Record<string, unknown>>;

interface Watched {
  readonly url: string;
  readonly key: string;
  /** The lines of requests, once there are so many. */
  readonly logged: (count: number) => Promise<readonly Line[]>;
}

/** Runs work with a server over the shop whose log is watched. */
async function watching(work: (watched: Watched) => Promise<void>): Promise<void> {
  await withStore(async (store) => {
    await fillShop(store);
    const { key } = createWriteKey(store, clock, "live");
    const api = apiOver(store, { intent: INTENT, every: () => () => undefined });
    const server = createHttpServer(api.app);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const logged = async (count: number): Promise<readonly Line[]> => {
      while (api.lines.length < count) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      return api.lines;
    };
    try {
      await work({ url: `http://127.0.0.1:${port}`, key, logged });
    } finally {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  });
}

async function ask(url: string, head: string): Promise<Held> {
  const held = await openRaw(url);
  held.socket.write(`${head}\r\nHost: localhost\r\n\r\n`);
  return held;
}

describe("a client that goes away", () => {
  it("is a line without an error, wherever it was", async () => {
    await watching(async ({ url, key, logged }) => {
      const headers = basic(key);
      for (const [announce, send] of [
        [1000, 0],
        [1000, 999],
        [4_000_000, 2_000_000],
      ] as const) {
        release(await holdBodies(url, { count: 1, announce, send, headers }));
      }
      release(await holdBodies(url, { count: 1, announce: 1000 }));
      await logged(4);
      for (const path of ["/v1/intent/stream?threshold=0.5", "/v1/audiences/retargeting-pool"]) {
        const held = await ask(url, `GET ${path} HTTP/1.1`);
        if (path.includes("stream")) {
          await held.status;
        }
        held.socket.destroy();
      }
      for (const line of await logged(6)) {
        const { level, err, status } = line;
        expect([level, err], JSON.stringify(line)).to.deep.equal([30, undefined]);
        expect(status).to.be.oneOf([null, 200]);
      }
    });
  });

  it("says nothing where it never spoke HTTP, and hears 400", async () => {
    await watching(async ({ url, logged }) => {
      for (const [text, code] of [
        ["HELLO\r\n\r\n", 400],
        ["GET / HTTP/1.1\r\n\r\n", 400],
        ["GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400],
        [`GET / HTTP/1.1\r\nHost: localhost\r\nA: ${"a".repeat(20_000)}\r\n\r\n`, 431],
      ] as const) {
        const held = await openRaw(url);
        held.socket.write(text);
        expect(await held.status, text.slice(0, 20)).to.equal(code);
        expect(held.said()).not.to.match(/at |node:/);
      }
      const good = await ask(url, "GET /v1/health HTTP/1.1");
      expect(await good.status).to.equal(200);
      good.socket.destroy();
      expect(await logged(1)).to.have.lengthOf(1);
    });
  });
});

describe("connections", () => {
  it("of one address are never more than are free for others", async () => {
    await withStore(async (store) => {
      const server = createHttpServer(apiOver(store).app, 10);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const held: Held[] = [];
      try {
        for (let count = 0; count < 10; count++) {
          held.push(await openRaw(url));
        }
        await Promise.all(held.slice(5).map(({ status }) => status));
        const open = await new Promise<number>((resolve) => {
          server.getConnections((_error, count) => {
            resolve(count);
          });
        });
        expect(open).to.equal(5);
        held[0]?.socket.destroy();
        await once(held[0]?.socket ?? createServer(), "close");
      } finally {
        release(held);
        server.close();
        await once(server, "close");
      }
    });
  });
});
