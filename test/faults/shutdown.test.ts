import { join } from "node:path";
import { expect } from "chai";
import { openStore, systemClock } from "../../src/base/index.ts";
import { createWriteKey } from "../../src/collection/index.ts";
import { holdBack, openStream } from "../support/half-sent.ts";
import { smallIntentChampion } from "../support/intent.ts";
import { killAll, serveStore } from "../support/processes.ts";
import { createSender, expectAllOnce } from "../support/senders.ts";
import { inFolder } from "../support/temporary.ts";

/** The deadline of a shutdown that nobody configured, and what a busy machine needs besides. */
const END_MS = 10_000 + 15_000;

describe("a server that is told to stop under load", function () {
  this.timeout(120_000);
  afterEach(killAll);

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`ends by itself after ${signal} with open streams and half-sent uploads, and has sealed what it acknowledged`, async () => {
      await inFolder(async (root) => {
        const folder = join(root, "store");
        const store = await openStore(folder);
        const { key } = createWriteKey(store, systemClock, "webshop");
        await smallIntentChampion(store, join(folder, "models"));
        store.close();
        const server = await serveStore(folder);
        const { url } = server;
        const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
        const streams = await Promise.all([1, 2, 3].map(() => openStream(url)));
        const uploads = await Promise.all([1, 2, 3].map(() => holdBack(url, authorization)));
        const senders = [1, 2, 3].map((number) => createSender(key, `s${number}`));
        try {
          const stop = async (): Promise<number | null> => {
            while (senders.some(({ acknowledged }) => acknowledged.size < 100)) {
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
            server.child.kill(signal);
            return server.end(END_MS);
          };
          const whileAllSend = senders.reduce(
            (work, sender) => () => sender.during(url, work, 5),
            stop,
          );
          const code = await whileAllSend();
          expect(code, server.complained()).to.equal(0);
          expect(server.complained()).to.not.match(/^ {4}at /m);
        } finally {
          [...streams, ...uploads].forEach((socket) => socket.destroy());
        }
        const acknowledged = senders.flatMap((sender) => [...sender.acknowledged]);
        const after = await openStore(folder);
        const waiting = after.sqlite.prepare("SELECT count(*) FROM inbox").pluck().get();
        after.close();
        expect(waiting, "lines that are not sealed").to.equal(0);
        await expectAllOnce(folder, acknowledged);
      });
    });
  }
});
