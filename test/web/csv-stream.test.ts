import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { pino } from "pino";
import type { Store } from "../../src/base/index.ts";
import { createApp } from "../../src/web/index.ts";
import { withStore } from "../support/temporary.ts";
import { clock, fillShop, publishShop } from "../support/web.ts";

/** Pages of 5000 that an audience of 100 MB is read in: far more than sockets hold back. */
const PAGES = 10;

function growPool(store: Store): void {
  store.sqlite.exec(
    `INSERT INTO product VALUES ('long', '${"x".repeat(2000)}');
     WITH RECURSIVE n (i) AS (SELECT 13 UNION ALL SELECT i + 1 FROM n WHERE i < ${PAGES * 5000})
     INSERT INTO audience_member SELECT 'retargeting-pool', 1, i, 1, 'long', 0.1, 0.1 FROM n`,
  );
}

interface Streaming {
  readonly store: Store;
  /** How many pages of members were read so far. */
  readonly pagesRead: () => number;
  /** The answer, its body not yet read. */
  readonly open: () => Promise<IncomingMessage>;
  /** The log line that ends the request. */
  readonly logged: Promise<Record<string, unknown>>;
}

async function whileServing(work: (streaming: Streaming) => Promise<void>): Promise<void> {
  await withStore(async (store) => {
    await fillShop(store);
    growPool(store);
    let pages = 0;
    const sqlite = new Proxy(store.sqlite, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        return typeof value !== "function"
          ? value
          : (...given: unknown[]): unknown => {
              pages += key === "prepare" && String(given[0]).includes("m.position > ?") ? 1 : 0;
              return (value as (...all: unknown[]) => unknown).apply(target, given);
            };
      },
    });
    let hear: (line: Record<string, unknown>) => void = () => undefined;
    const logged = new Promise<Record<string, unknown>>((resolve) => {
      hear = (line) => {
        if ("route" in line) {
          resolve(line);
        }
      };
    });
    const logger = pino(
      {
        base: null,
      },
      {
        write: (line: string) => {
          hear(JSON.parse(line) as Record<string, unknown>);
        },
      },
    );
    const server = createServer(createApp({ store: { ...store, sqlite }, clock, logger }));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const open = async (): Promise<IncomingMessage> => {
      const asked = get({
        host: "127.0.0.1",
        port,
        path: "/v1/audiences/retargeting-pool?format=csv",
      });
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      return answer;
    };
    try {
      await work({ store, pagesRead: () => pages, open, logged });
    } finally {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  });
}

describe("a CSV answer on its way", () => {
  it("brings every member to a client that stays", async () => {
    await whileServing(async ({ open, pagesRead }) => {
      let bytes = 0;
      let lines = 0;
      for await (const chunk of (await open()) as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        lines += chunk.toString("latin1").split("\n").length - 1;
      }
      // The header, and all but the two without consent.
      expect(lines).to.equal(1 + PAGES * 5000 - 2);
      expect(bytes).to.be.greaterThan(1e8);
      expect(pagesRead()).to.be.at.least(PAGES);
    });
  });

  it("stops reading when the client goes away", async () => {
    await whileServing(async ({ open, pagesRead, logged }) => {
      const answer = await open();
      answer.on("error", () => undefined).destroy();
      const line = await logged;
      expect(line["msg"]).to.equal("request aborted");
      expect(line["level"]).to.equal(30);
      expect(pagesRead()).to.be.within(1, PAGES / 2);
    });
  });

  it("breaks off, rather than ends, when a new version takes the place of the one it reads", async () => {
    await whileServing(async ({ store, open }) => {
      const answer = await open();
      await publishShop(store);
      const failure = await once(answer.resume(), "end").then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).to.have.property("code", "ECONNRESET");
      expect(answer.complete).to.equal(false);
    });
  });
});
