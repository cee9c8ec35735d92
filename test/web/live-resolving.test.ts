import { join } from "node:path";
import { expect } from "chai";
import { createWriteKey } from "../../src/collection/index.ts";
import { readConfig } from "../../src/config.ts";
import { countCustomers } from "../../src/customers/index.ts";
import { startServer } from "../../src/server.ts";
import { openService } from "../../src/service.ts";
import { inFolder } from "../support/temporary.ts";

interface Live {
  /** Sends an event of a new visitor. */
  readonly send: () => Promise<void>;
  /** Lets so many intervals pass; returns how many customers there are after each. */
  readonly pass: (ticks: number) => number[];
}

/** A server whose load and time are the test's. */
async function underLoad(
  load: number | readonly (number | undefined)[],
  work: (live: Live) => Promise<void>,
): Promise<void> {
  const loads = typeof load === "number" ? undefined : load.values();
  await inFolder(async (folder) => {
    const config = { ...readConfig({ store: join(folder, "store") }), logLevel: "silent" };
    const service = await openService(config, { quiet: true });
    const works: [intervalMs: number, work: () => void][] = [];
    const every = (intervalMs: number, tick: () => void): (() => void) => {
      works.push([intervalMs, tick]);
      return () => undefined;
    };
    try {
      const { key } = createWriteKey(service.store, service.clock, "web");
      const server = await startServer(service, "127.0.0.1", 0, every, {
        share: () => (loads === undefined ? (load as number) : loads.next().value),
        leaveOut: () => undefined,
      });
      const [, tick] = works.sort(([a], [b]) => a - b)[0] ?? [];
      let visitor = 0;
      try {
        await work({
          send: async () => {
            const body = JSON.stringify({ anonymousId: `v${++visitor}` });
            const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
            const headers = { authorization };
            const answer = await fetch(`${server.url}/v1/page`, { method: "POST", headers, body });
            expect(answer.status).to.equal(200);
          },
          pass: (ticks) =>
            Array.from({ length: ticks }, () => {
              tick?.();
              return countCustomers(service.store);
            }),
        });
      } finally {
        await server.close();
      }
    } finally {
      service.close();
    }
  });
}

describe("resolving what comes live", () => {
  it("follows at once where the process has time", async () => {
    await underLoad(0.5, async ({ send, pass }) => {
      await send();
      expect(pass(1)).to.deep.equal([1]);
    });
  });

  it("goes by what it found last where a tick comes too soon to tell", async () => {
    await underLoad([1, undefined, undefined, 0.5, undefined], async ({ send, pass }) => {
      await send();
      expect(pass(4)).to.deep.equal([0, 0, 0, 1]);
      await send();
      expect(pass(1)).to.deep.equal([2]);
    });
  });

  it("leaves a busy process to its requests, but for one tick in twenty-one", async () => {
    await underLoad(1, async ({ send, pass }) => {
      await send();
      expect(pass(21)).to.deep.equal([...Array<number>(20).fill(0), 1]);
      await send();
      expect(pass(21)).to.deep.equal([...Array<number>(20).fill(1), 2]);
    });
  });
});
