import { once } from "node:events";
import { Agent, type ClientRequest, request } from "node:http";
import { join } from "node:path";
import { expect } from "chai";
import { acquireWriterLock, type Every, nextTurn } from "../../src/base/index.ts";
import { endsWithin } from "../../src/closing.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { type RunningServer, startServer } from "../../src/server.ts";
import { openService, type Service } from "../../src/service.ts";
import { smallIntentChampion } from "../support/intent.ts";
import { inFolder } from "../support/temporary.ts";

const SHUTDOWN_SECONDS = 7;

interface Serving {
  readonly service: Service;
  readonly server: RunningServer;
  readonly agent: Agent;
  /** A request that announces a body and has sent half of it, once the server reads it. */
  readonly upload: (body: string) => Promise<ClientRequest>;
  /** Comes to the shutdown deadline. */
  readonly deadline: () => void;
}

async function whileServing(
  work: (serving: Serving) => Promise<void>,
  prepare: (service: Service) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  await inFolder(async (folder) => {
    const config = {
      ...readConfig({ store: join(folder, "store") }),
      logLevel: "silent",
      shutdownSeconds: SHUTDOWN_SECONDS,
    };
    const service = await openService(config, { quiet: true });
    const agent = new Agent({ keepAlive: true });
    let deadline = (): void => undefined;
    const every: Every = (intervalMs, tick) => {
      if (intervalMs === SHUTDOWN_SECONDS * 1000) {
        deadline = tick;
      }
      return () => undefined;
    };
    try {
      const { key } = createWriteKey(service.store, service.clock, "web");
      await prepare(service);
      const server = await startServer(service, "127.0.0.1", 0, every);
      const upload = async (body: string): Promise<ClientRequest> => {
        const sent = request(`${server.url}/v1/page`, {
          method: "POST",
          agent,
          auth: `${key}:`,
          headers: { "Content-Length": body.length, Expect: "100-continue" },
        });
        sent.flushHeaders();
        await once(sent, "continue");
        return sent;
      };
      try {
        await work({
          service,
          server,
          agent,
          upload,
          deadline: () => {
            deadline();
          },
        });
      } finally {
        deadline();
        await server.close();
      }
    } finally {
      agent.destroy();
      service.close();
    }
  });
}

const PAGE = JSON.stringify({ anonymousId: "v" });

async function finish(sent: ClientRequest): Promise<number> {
  const answered = once(sent, "response");
  sent.end(PAGE);
  const [answer] = (await answered) as [{ statusCode: number; resume(): void }];
  answer.resume();
  return answer.statusCode;
}

function count({ store }: Service, table: "message" | "inbox" | "history_file"): unknown {
  return store.sqlite.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
}

describe("a server that closes", function () {
  this.timeout(60_000);

  it("answers what is under way, and waits for no kept connection", async () => {
    await whileServing(async ({ service, server, upload }) => {
      const sent = await upload(PAGE);
      const closing = server.close();
      expect(await finish(sent)).to.equal(200);
      expect(await closing).to.equal(true);
      expect(count(service, "message")).to.equal(1);
      expect(count(service, "history_file")).to.equal(1);
    });
  });

  it("cuts an upload that stays half-sent at the deadline, and seals what was accepted", async () => {
    await whileServing(async ({ service, server, upload, deadline }) => {
      expect(await finish(await upload(PAGE))).to.equal(200);
      const half = await upload(PAGE);
      half.write(PAGE.slice(0, 5));
      const cut = once(half, "error");
      const closing = server.close();
      let isClosed = false;
      void closing.then(() => (isClosed = true));
      await fetch(server.url).catch(() => undefined);
      expect(isClosed).to.equal(false);
      deadline();
      expect(await closing).to.equal(true);
      await cut;
      expect(count(service, "inbox")).to.equal(0);
      expect(count(service, "history_file")).to.equal(1);
    });
  });

  it("tells every stream to connect again", async () => {
    await whileServing(
      async ({ server }) => {
        const streams = await Promise.all(
          Array.from({ length: 12 }, () => fetch(`${server.url}/v1/intent/stream?threshold=0.5`)),
        );
        const said = streams.map((answer) => answer.text());
        expect(await server.close()).to.equal(true);
        for (const text of await Promise.all(said)) {
          expect(text).to.match(/^: listening\n\nretry: 2000\n: the server stops[^\n]*\n\n$/);
        }
      },
      ({ store, config }) => smallIntentChampion(store, config.modelsFolder),
    );
  });

  it("leaves the events in the inbox where another process writes, and waits for nobody", async () => {
    await whileServing(async ({ service, server, upload }) => {
      expect(await finish(await upload(PAGE))).to.equal(200);
      const release = acquireWriterLock(service.store, "import orders.csv", service.clock);
      expect(await server.close()).to.equal(true);
      expect(count(service, "inbox")).to.equal(1);
      release();
    });
  });

  it("gives work a bound, and tells it when it is late", async () => {
    let tick = (): void => undefined;
    let stopped = 0;
    const every: Every = (_intervalMs, work) => {
      tick = work;
      return () => (stopped += 1);
    };
    let isLate = (): boolean => false;
    const slow = endsWithin(every, 1, (late) => {
      isLate = late;
      return new Promise(() => undefined);
    });
    await nextTurn();
    expect(isLate()).to.equal(false);
    tick();
    expect(await slow).to.equal(false);
    expect(isLate()).to.equal(true);
    expect(await endsWithin(every, 1, () => Promise.resolve())).to.equal(true);
    expect(stopped).to.equal(2);
  });

  it("lets the next server in, and none before", async () => {
    await whileServing(async ({ service, server }) => {
      const never: Every = () => () => undefined;
      const refused = await startServer(service, "127.0.0.1", 0, never).catch(String);
      expect(refused).to.match(
        new RegExp(`has been serving this store at ${server.url} since .*; stop it first`),
      );
      await server.close();
      const port = Number(new URL(server.url).port);
      const next = await startServer(service, "127.0.0.1", port, never);
      await next.close();
    });
  });
});
