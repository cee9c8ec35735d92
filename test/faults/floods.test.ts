import { join } from "node:path";
import { expect } from "chai";
import { openStore, systemClock } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { holdBack, nestedBomb } from "../support/half-sent.ts";
import { killAll, type Serving, serveStore } from "../support/processes.ts";
import { createSender, expectAllOnce } from "../support/senders.ts";
import { inFolder } from "../support/temporary.ts";

const IDLE_MS = 6_000;
const FLOOD_MS = 15_000;
const TIMES_IDLE = 3;
/** What one turn of another process on the same cores takes. */
const NOISE_MS = 10;
const PAUSE_MS = 10;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Latency {
  readonly median: number;
  readonly p90: number;
}

/** How long reads take, over so long a time, in ms. */
async function readsDuring(url: string, ms: number): Promise<Latency> {
  const samples: number[] = [];
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const started = performance.now();
    const answer = await fetch(`${url}/v1/customers/user_id/user-1`);
    await answer.arrayBuffer();
    samples.push(performance.now() - started);
    expect(answer.status).to.equal(200);
    await wait(PAUSE_MS);
  }
  samples.sort((a, b) => a - b);
  const at = (share: number): number => samples[Math.floor(share * (samples.length - 1))] ?? 0;
  return { median: at(0.5), p90: at(0.9) };
}

/** Eight connections that announce 4 MiB and hold back the last byte; those that are cut off come again. */
async function holdingBack(url: string, ms: number): Promise<void> {
  const end = performance.now() + ms;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const socket = await holdBack(url);
      while (performance.now() < end && !socket.destroyed) {
        await wait(50);
      }
      socket.destroy();
      await wait(50);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

/** Ten requests of gzip that inflates to deeply nested JSON, spread over the time. */
async function nesting(url: string, ms: number): Promise<void> {
  const body = nestedBomb();
  for (let count = 0; count < 10; count++) {
    const answer = await fetch(`${url}/v1/batch`, { method: "POST", body });
    await answer.arrayBuffer();
    expect(answer.status).to.be.within(400, 499);
    await wait(ms / 10);
  }
}

describe("a server that anybody without a key attacks, while real senders go on", function () {
  this.timeout(120_000);
  afterEach(killAll);

  const attacks = [
    ["by eight connections that hold back the last byte of 4 MiB", holdingBack],
    ["by ten requests of gzip of deeply nested JSON", nesting],
  ] as const;
  for (const [name, attack] of attacks) {
    it(`${name}: senders see no 429, reads stay within ${TIMES_IDLE} times idle`, async () => {
      await inFolder(async (root) => {
        const folder = join(root, "store");
        const store = await openStore(folder);
        const { key } = createWriteKey(store, systemClock, "webshop");
        store.close();
        const server = await serveStore(folder);
        const sender = createSender(key, "m");
        await untilKnown(server, () => sender.send(server.url));
        const measured = await sender.during(server.url, async () => {
          const idle = await readsDuring(server.url, IDLE_MS);
          const [attacked] = await Promise.all([
            readsDuring(server.url, FLOOD_MS),
            attack(server.url, FLOOD_MS),
          ]);
          return { idle, attacked };
        });
        const told = JSON.stringify(measured);
        process.stderr.write(`      ${told}\n`);
        expect([...sender.statuses.keys()], "statuses").to.deep.equal([200]);
        const { idle, attacked } = measured;
        expect(attacked.median, told).to.be.below(TIMES_IDLE * idle.median + NOISE_MS / 2);
        expect(attacked.p90, told).to.be.below(TIMES_IDLE * idle.p90 + NOISE_MS);
        await server.kill();
        await expectAllOnce(folder, sender.acknowledged);
      });
    });
  }
});

/** Sends until the customer whom the test reads is there. */
async function untilKnown({ url }: Serving, send: () => Promise<number>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    expect(await send()).to.equal(200);
    const { status } = await fetch(`${url}/v1/customers/user_id/user-1`);
    if (status === 200) {
      return;
    }
    await wait(50);
  }
  throw new Error("the customer never came");
}
