import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { openStore, systemClock } from "../../src/base/index.ts";
import { createWriteKey, historyFiles } from "../../src/collection/index.ts";
import { outcomeOf, startCommand, untilSaid } from "../support/command.ts";
import { linesByMessage, orderCall } from "../support/live.ts";
import { type ShopLine, shopMapping, writeLines } from "../support/shop.ts";
import { inFolder } from "../support/temporary.ts";

const LINES = 8_000;
const CUSTOMERS = 2_000;
const SENDERS = 4;
/** Three of seven failed. */
const IMPORTS = 3;

function linesOf(round: number): ShopLine[] {
  return Array.from({ length: LINES }, (_, index) => ({
    user: `u${(index * 7) % CUSTOMERS}`,
    visitor: `v${round}-${(index * 7) % CUSTOMERS}`,
    order: `o${round}-${index}`,
    at: new Date(Date.UTC(2024, round, 1) + index * 60_000).toISOString(),
  }));
}

interface Sent {
  readonly posts: Map<number, number>;
  readonly reads: Map<number, number>;
  /** Message ids that were answered with 200. */
  readonly accepted: string[];
}

/** Sends and reads one after the other, again and again until it is over; what is refused is sent again. */
async function sendUntil(
  isOver: () => boolean,
  url: string,
  key: string,
  name: string,
  sent: Sent,
): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
  const count = (counts: Map<number, number>, status: number): unknown =>
    counts.set(status, (counts.get(status) ?? 0) + 1);
  for (let number = 0; !isOver(); ) {
    const messageId = `${name}-${number}`;
    const user = `u${number % CUSTOMERS}`;
    const body = JSON.stringify(orderCall(messageId, { userId: user }));
    const post = await fetch(`${url}/v1/track`, {
      method: "POST",
      headers: { authorization },
      body,
    });
    await post.arrayBuffer();
    count(sent.posts, post.status);
    if (post.status === 200) {
      sent.accepted.push(messageId);
      number++;
    }
    const read = await fetch(`${url}/v1/customers/user_id/${user}/profile`);
    await read.arrayBuffer();
    count(sent.reads, read.status);
  }
}

describe("an import while a server takes events", function () {
  this.timeout(280_000);

  it("ends well, refuses nobody for good, and leaves every line with its customer", async () => {
    await inFolder(async (folder) => {
      const path = join(folder, "store");
      const before = await openStore(path);
      const { key } = createWriteKey(before, systemClock, "webshop");
      before.close();
      const mapping = join(folder, "mapping.json");
      writeFileSync(mapping, JSON.stringify(shopMapping()));
      const server = startCommand(path, ["serve", "--port", "0"]);
      const said = await untilSaid(server, "/v1/health");
      const [url = ""] = /http:\/\/[\d.:]+/.exec(said) ?? [];
      const sent: Sent = { posts: new Map(), reads: new Map(), accepted: [] };
      try {
        for (let round = 0; round < IMPORTS; round++) {
          const file = writeLines(join(folder, `${round}.csv`), linesOf(round));
          const running = outcomeOf(startCommand(path, ["import", file, "--mapping", mapping]));
          const state = { isOver: false };
          const over = running.finally(() => {
            state.isOver = true;
          });
          const senders = Array.from({ length: SENDERS }, (_, sender) =>
            sendUntil(() => state.isOver, url, key, `m${round}-${sender}`, sent),
          );
          await Promise.all([over, ...senders]);
          const { code, stderr } = await running;
          expect(code, stderr).to.equal(0);
        }
      } finally {
        const ended = once(server, "close");
        server.kill("SIGTERM");
        await ended;
      }
      expect([...sent.posts.keys()].filter((status) => ![200, 503].includes(status))).to.deep.equal(
        [],
      );
      expect([...sent.reads.keys()].filter((status) => ![200, 404].includes(status))).to.deep.equal(
        [],
      );
      expect(sent.accepted.length).to.be.above(100);
      const store = await openStore(path);
      try {
        expect(historyFiles(store, "unresolved")).to.deep.equal([]);
        const lines = await linesByMessage(store);
        expect(sent.accepted.filter((id) => lines.get(id) !== 2)).to.deep.equal([]);
        const orders = store.sqlite
          .prepare<[], number>("SELECT count(*) FROM order_summary WHERE source = 'shop'")
          .pluck()
          .get();
        expect(orders).to.equal(IMPORTS * LINES);
        const events = store.sqlite
          .prepare<[], number>(
            "SELECT sum(event_count) FROM identifier_activity WHERE source = 'webshop'",
          )
          .pluck()
          .get();
        expect(events).to.equal(sent.accepted.length);
      } finally {
        store.close();
      }
    });
  });
});
